// What holds for all findings, how they are written, and how models and presses are told apart.
#include "services/orchestrator/report/findings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "absl/strings/str_split.h"
#include "services/orchestrator/report/bounds.h"
#include "services/orchestrator/report/headlines.h"
#include "services/orchestrator/report/sweep_model.h"
#include "tests/orchestrator/report/finding_input.h"

namespace kvscope::orchestrator {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using Verdict = ReportFinding::Verdict;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

void ExpectSentences(const ReportInput& input) {
  std::vector<std::string> texts = Headlines(input);
  EXPECT_LE(texts.size(), kMostHeadlines);
  for (const ReportFinding& finding : JudgeFindings(input)) {
    EXPECT_THAT(finding.claim, Not(IsEmpty()));
    EXPECT_THAT(finding.numbers, HasSubstr("Rule: "));
    texts.push_back(finding.numbers);
  }
  EXPECT_THAT(texts, Not(IsEmpty()));
  for (const std::string& text : texts) {
    EXPECT_THAT(text, Not(HasSubstr("nan"))) << text;
    EXPECT_THAT(text, Not(HasSubstr("inf)"))) << text;
    EXPECT_TRUE(text.ends_with('.')) << text;
    EXPECT_FALSE(text.ends_with("..")) << text;
  }
}

int NotDecidable(const ReportInput& input) {
  int count = 0;
  for (const ReportFinding& finding : JudgeFindings(input)) {
    count += finding.verdict == Verdict::kNotDecidable;
  }
  return count;
}

TEST(Findings, OfNothingAreTenClaimsThatCannotBeDecided) {
  EXPECT_EQ(JudgeFindings({}).size(), 10u);  // the claim about two families counts twice
  EXPECT_EQ(NotDecidable({}), 10);
  ExpectSentences({});
}

TEST(Findings, OfASingleRatioCannotBeDecided) {
  for (const double ratio : {0.0, 0.5, 0.9}) {
    ReportInput input;
    for (const char* dataset : {"base", "knowledge", "multi_presence", "hops"}) {
      AddCurve({dataset}, FallFrom(0.95, 0.9, 1), input, 0.02, {ratio});
      AddTagCurve({dataset}, "direction", "forward", FallFrom(0.95, 0.9, 1), input, 0.02, {ratio});
      AddTagCurve({dataset}, "direction", "reverse", FallFrom(0.95, 0.9, 1), input, 0.02, {ratio});
    }
    EXPECT_EQ(NotDecidable(input), 10) << ratio;
    ExpectSentences(input);
  }
}

TEST(Findings, AreSentencesForASweepWithMissingCells) {
  ReportInput input;
  for (const char* dataset : {"knowledge", "coreference", "hops", "multi_presence", "own"}) {
    for (const char* regime : {"agnostic", "aware", "aware_each"}) {
      for (const char* press : {kChunk, kAdaKv, "random", "snapkv"}) {
        const Place place = {dataset, regime, press};
        AddCurve(place, FallFrom(0.95, 0.6, 1), input);
        AddTagCurve(place, "answer_type", "Person", FallFrom(0.95, 0.6, 1), input);
        AddTagCurve(place, "answer_type", "Events", FallFrom(0.95, 0.4, 1), input);
      }
    }
  }
  ExpectSentences(input);
  for (size_t i = 0; i < input.rows.size(); i += 7) input.rows[i].f1 = kNan;
  std::erase_if(input.rows, [](const ReportRow& row) {
    return row.ratio == 0.3 || (row.ratio == 0 && row.press == kChunk && row.dataset == "hops");
  });
  std::erase_if(input.tag_rows, [](const ReportTagRow& row) { return row.ratio < 0.2; });
  ExpectSentences(input);
}

TEST(Findings, SurviveNumbersThatAreNone) {
  ReportInput input;
  const Place place = {"knowledge"};
  for (const double bad : {kNan, kInfinity, -kInfinity}) {
    AddCurve(
        place, [&](double) { return bad; }, input);
    AddCurve(
        {"hops"}, [&](double) { return 0.0; }, input);
    AddTagCurve(
        place, "answer_type", "Person", [&](double) { return bad; }, input);
    auto& statistics = input.statistics;
    statistics.change_points.push_back(
        {"knowledge", "agnostic", kChunk, bad, ReportInterval{bad, bad}});
    statistics.susceptibility.push_back({"knowledge", "agnostic", kChunk, 0.9, bad});
    statistics.comparisons.push_back(
        {.press = kChunk, .against = "random", .ratio = 0.5, .difference = bad, .p = bad});
    statistics.decomposition.push_back(
        {.press = kChunk, .ratio = 0.5, .answers = 9, .failures = 3, .erasure_share = bad});
    statistics.correlations.push_back({.pearson = bad});
    statistics.probes.push_back({"knowledge", "agnostic", kChunk, 0.9, -1, "", bad});
  }
  ExpectSentences(input);
  EXPECT_EQ(NotDecidable(input), 10);
}

TEST(Findings, ComeOnceAModel) {
  ReportInput input;
  input.provenance = {{"model", "models/pocket-llama: llama, 4 layers"},
                      {"model", "models/pocket-qwen2: qwen2, 4 layers"}};
  AddCurve({"knowledge \u00B7 pocket-llama"}, FallFrom(0.95, 0.4, 1), input);
  AddCurve({"knowledge \u00B7 pocket-qwen2"}, FallFrom(0.95, 0.1, 1), input);
  EXPECT_EQ(FindingOf(input, "0.4 (pocket-llama)").verdict, Verdict::kConfirmed);
  EXPECT_EQ(FindingOf(input, "0.4 (pocket-qwen2)").verdict, Verdict::kRefuted);
  EXPECT_EQ(FindingOf(input, "LLaMA").claim,
            "LLaMA: early consensus, late diversity (pocket-llama)");
  EXPECT_THAT(FindingOf(input, "Qwen").claim, HasSubstr("(pocket-qwen2)"));
}

TEST(Findings, AsMarkdownEscapeWhatTheyQuote) {
  const std::vector<ReportFinding> findings = {
      {"A claim (m*_x)", Verdict::kConfirmed, "F1 <0.9\nin multi_presence | `x`."},
      {"Another", Verdict::kRefuted, "No."}};
  EXPECT_EQ(FindingsMarkdown(findings),
            "2 findings: 1 confirmed, 1 refuted, 0 not decidable.\n"
            "\n"
            "- **A claim (m\\*\\_x)**: *confirmed*.\n"
            "  F1 \\<0.9 in multi_presence \\| \\`x\\`.\n"
            "- **Another**: *refuted*.\n"
            "  No.\n");
  EXPECT_EQ(FindingsMarkdown({}), "0 findings: 0 confirmed, 0 refuted, 0 not decidable.\n");
}

TEST(Findings, AsTextAreWrapped) {
  const std::vector<ReportFinding> findings = {
      {"A claim", Verdict::kNotDecidable,
       "One two three four five \u00E9\u00E9\u00E9\u00E9 seven."}};
  EXPECT_EQ(FindingsText(findings, 20),
            "not decidable: A\nclaim\n"
            "    One two three\n    four five \u00E9\u00E9\u00E9\u00E9\n    seven.\n"
            "\n1 finding: 0 confirmed, 0 refuted, 1 not decidable.\n");
  const std::vector<std::string> lines = absl::StrSplit(FindingsText(JudgeFindings({})), '\n');
  for (const std::string& line : lines) EXPECT_LE(line.size(), 100u);
}

TEST(SweepModels, AreToldApartByTheProvenance) {
  ReportInput input;
  AddCurve({"a \u00B7 b"}, FallFrom(1, 0, 1), input);
  ASSERT_EQ(SweepModels(input).size(), 1u);
  EXPECT_EQ(SweepModels(input)[0].name, "b");
  input.provenance = {{"model", "models/m/: qwen2, 2 layers"}};  // one: rows name none
  ASSERT_EQ(SweepModels(input).size(), 1u);
  EXPECT_EQ(SweepModels(input)[0].name, "m");
  EXPECT_EQ(SweepModels(input)[0].family, ModelFamily::kQwen);
  EXPECT_EQ(SweepModels(input)[0].rows.begin()->first.dataset, "a \u00B7 b");
  input.provenance.emplace_back("model", "models/b: llama, 2 layers");
  ASSERT_EQ(SweepModels(input).size(), 1u);
  EXPECT_EQ(SweepModels(input)[0].name, "b");
  EXPECT_EQ(SweepModels(input)[0].family, ModelFamily::kLlama);
  EXPECT_EQ(SweepModels(input)[0].rows.begin()->first.dataset, "a");
  EXPECT_THAT(SweepModels({}), IsEmpty());
}

TEST(Presses, OfThePaperAndRandomOnes) {
  for (const char* press :
       {kChunk, kAdaKv, "adakv(expected_attention(epsilon=0.01), alpha_safeguard=0.2)",
        "AdaKVPress(ExpectedAttentionPress)"}) {
    EXPECT_TRUE(IsPaperPress(press)) << press;
    EXPECT_FALSE(IsRandomPress(press)) << press;
  }
  for (const char* press : {"expected_attention", "chunk(snapkv)", "adakv(random)", "chunk(", "",
                            "adakv(expected_attention_with_stats)", "adakv(expected_attention"}) {
    EXPECT_FALSE(IsPaperPress(press)) << press;
  }
  EXPECT_TRUE(IsRandomPress("random"));
  EXPECT_TRUE(IsRandomPress("adakv(random(seed=3))"));
  EXPECT_FALSE(IsRandomPress("randomized"));
}

TEST(Bounds, AddAndDivideByHand) {
  const Bounds a{0.8, 0.7, 0.9, true}, b{0.5, 0.1, 0.6, true};
  const Bounds difference = Difference(a, b);
  EXPECT_NEAR(difference.value, 0.3, 1e-12);
  EXPECT_NEAR(difference.low, 0.3 - std::sqrt(0.01 + 0.01), 1e-12);
  EXPECT_NEAR(difference.high, 0.3 + std::sqrt(0.01 + 0.16), 1e-12);
  const auto retained = Retained(b, a);
  ASSERT_TRUE(retained);
  EXPECT_NEAR(retained->low, 0.1 / 0.9, 1e-12);
  EXPECT_NEAR(retained->high, 0.6 / 0.7, 1e-12);
  EXPECT_FALSE(Retained(a, {0.2, 0, 0.4, true}));
  EXPECT_FALSE(Retained(a, {0.05, 0.04, 0.06, true}));
  const std::vector<Bounds> both = {a, b};
  EXPECT_NEAR(Mean(both, Dependence::kAnything)->low, 0.4, 1e-12);
  EXPECT_NEAR(Mean(both, Dependence::kIndependent)->low, 0.65 - std::sqrt(0.17) / 2, 1e-12);
  EXPECT_FALSE(Mean({}, Dependence::kAnything));
}

TEST(Bounds, WithoutAnIntervalAreWide) {
  EXPECT_FALSE(BoundsOf(kNan, ReportInterval{0, 1}, 9));
  const auto many = BoundsOf(0.98, std::nullopt, kFewestAnswers);
  EXPECT_NEAR(many->low, 0.93, 1e-12);
  EXPECT_EQ(many->high, 1);
  EXPECT_FALSE(many->measured);
  const auto few = BoundsOf(0.98, ReportInterval{kNan, 1}, kFewestAnswers - 1);
  EXPECT_EQ(few->low, 0);
  EXPECT_EQ(few->high, 1);
}

TEST(Bounds, NearestTakesTheLowerOfEquals) {
  const std::map<double, int> map = {{0.5, 1}, {0.85, 2}, {0.95, 3}};
  EXPECT_EQ(Nearest(map, 0.9, 0.05)->second, 2);
  EXPECT_EQ(Nearest(map, 0.94, 0.05)->second, 3);
  EXPECT_EQ(Nearest(map, 0.9), nullptr);
  EXPECT_EQ(Nearest(map, 0.5 + 1e-9)->second, 1);
}

}  // namespace
}  // namespace kvscope::orchestrator
