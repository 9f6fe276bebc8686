// The claims about depth shapes, probes and evicted answers, each verdict of each.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "services/orchestrator/report/findings.h"
#include "tests/orchestrator/report/finding_input.h"

namespace kvscope::orchestrator {
namespace {

using ::testing::HasSubstr;
using Verdict = ReportFinding::Verdict;

constexpr char kLlama[] = "LLaMA: early";
constexpr char kQwen[] = "Qwen: early";
constexpr char kProbes[] = "Probes";
constexpr char kGer[] = "GER";
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

void AddShape(const Place& place, double ratio, const std::string& label, ReportInput& input) {
  input.statistics.depth_shapes.push_back(
      {place.dataset, place.regime, place.press, ratio, label, "a rule"});
}

// One model of a type; three data sets, labelled so at ratio 0 and at 0.9.
ReportInput Shapes(const std::string& type, const std::string& full, const std::string& cut) {
  ReportInput input;
  input.provenance = {{"model", "models/some-model: " + type + ", 1,000 parameters"}};
  for (const char* dataset : {"base", "hops", "knowledge"}) {
    AddCurve({dataset}, FallFrom(0.9, 0.5, 1), input);
    AddShape({dataset}, 0, full, input);
    AddShape({dataset}, 0.9, cut, input);
    AddShape({dataset}, 0.5, "flat", input);
  }
  return input;
}

TEST(DepthClaim, WantsTheFamilysLabelUncompressedAndNearTheCliff) {
  const ReportFinding llama =
      FindingOf(Shapes("llama", "early consensus", "early consensus"), kLlama);
  EXPECT_EQ(llama.verdict, Verdict::kConfirmed) << llama.numbers;
  EXPECT_EQ(llama.claim, "LLaMA: early consensus, late diversity (some-model)");
  EXPECT_THAT(llama.numbers, HasSubstr("3 early consensus of 3"));
  EXPECT_EQ(FindingOf(Shapes("qwen2", "funnel", "funnel"), kQwen).verdict, Verdict::kConfirmed);

  const ReportFinding cut = FindingOf(Shapes("llama", "early consensus", "flat"), kLlama);
  EXPECT_EQ(cut.verdict, Verdict::kRefuted);
  EXPECT_THAT(cut.numbers, HasSubstr("Holds for ratio 0: 3 early consensus of 3"));
  EXPECT_THAT(cut.numbers, HasSubstr("near 0.9: 0 early consensus, 3 flat of 3"));
  EXPECT_EQ(FindingOf(Shapes("qwen2", "early consensus", "funnel"), kQwen).verdict,
            Verdict::kRefuted);
}

TEST(DepthClaim, IsOpenInATieOrWithoutShapes) {
  ReportInput input = Shapes("llama", "early consensus", "early consensus");
  input.statistics.depth_shapes.resize(3 * 2);  // of two data sets
  input.statistics.depth_shapes[1].label = "funnel";
  EXPECT_EQ(FindingOf(input, kLlama).verdict, Verdict::kNotDecidable);
  input.statistics.depth_shapes.clear();
  EXPECT_EQ(FindingOf(input, kLlama).verdict, Verdict::kNotDecidable);
  EXPECT_THAT(FindingOf(input, kLlama).numbers, HasSubstr("consensus: true in capture"));
}

TEST(DepthClaim, IsOfItsFamilyAlone) {
  const ReportInput input = Shapes("llama", "early consensus", "early consensus");
  const ReportFinding qwen = FindingOf(input, kQwen);
  EXPECT_EQ(qwen.verdict, Verdict::kNotDecidable);
  EXPECT_THAT(qwen.numbers, HasSubstr("the sweep has no Qwen model"));
}

struct ProbeCase {
  double probe_full, probe_cut, answers_cut;  // answers uncompressed: 0.9
  double half = 0.02;
};

ReportInput Probes(const ProbeCase& numbers, int layer = -1) {
  ReportInput input;
  for (const char* dataset : {"base", "hops"}) {
    AddCurve(
        {dataset}, [&](double ratio) { return ratio < 0.9 ? 0.9 : numbers.answers_cut; }, input);
    for (const auto& [ratio, f1] :
         {std::pair(0.0, numbers.probe_full), std::pair(0.9, numbers.probe_cut)}) {
      input.statistics.probes.push_back(
          {.dataset = dataset,
           .regime = "agnostic",
           .press = kChunk,
           .ratio = ratio,
           .layer = layer,
           .f1 = f1,
           .interval = ReportInterval{f1 - numbers.half, f1 + numbers.half},
           .count = 50});
    }
  }
  return input;
}

TEST(ProbeClaim, WantsProbesToStandWhereAnswersFall) {
  const ReportFinding stands = FindingOf(Probes({0.9, 0.85, 0.1}), kProbes);
  EXPECT_EQ(stands.verdict, Verdict::kConfirmed) << stands.numbers;
  EXPECT_THAT(stands.numbers, HasSubstr("probe macro-F1 0.90 (0.89 to 0.91) at ratio 0 and 0.85"));
  EXPECT_THAT(stands.numbers, HasSubstr("mean of 2 data sets"));
  EXPECT_EQ(FindingOf(Probes({0.9, 0.5, 0.1}), kProbes).verdict, Verdict::kRefuted);
  EXPECT_EQ(FindingOf(Probes({0.9, 0.73, 0.1}), kProbes).verdict, Verdict::kNotDecidable);
  EXPECT_EQ(FindingOf(Probes({0.9, 0.85, 0.1}, 3), kProbes).verdict, Verdict::kConfirmed);
}

TEST(ProbeClaim, IsOpenWhereItsPremiseFails) {
  const ReportFinding well = FindingOf(Probes({0.9, 0.85, 0.8}), kProbes);
  EXPECT_EQ(well.verdict, Verdict::kNotDecidable);
  EXPECT_THAT(well.numbers, HasSubstr("answers do not clearly fail"));
  const ReportFinding blind = FindingOf(Probes({0.3, 0.3, 0.1}), kProbes);
  EXPECT_EQ(blind.verdict, Verdict::kNotDecidable);
  EXPECT_THAT(blind.numbers, HasSubstr("probes do not clearly work uncompressed"));
}

TEST(ProbeClaim, LeavesOutWhatHasNoProbe) {
  ReportInput input = Probes({0.9, 0.85, 0.1});
  input.statistics.probes[1].f1.reset();  // one class only
  EXPECT_THAT(FindingOf(input, kProbes).numbers, HasSubstr("mean of 1 data sets"));
  input.statistics.probes.clear();
  EXPECT_THAT(FindingOf(input, kProbes).numbers, HasSubstr("probes: {pool: mean} in capture"));
}

// GER rises with the ratio while F1 falls; `pearson` and its interval as told.
ReportInput Correlated(double pearson, ReportInterval interval) {
  ReportInput input;
  AddCurve({"base"}, FallFrom(0.9, 0, 1), input);
  input.statistics.correlations.push_back({.scope = "all cells",
                                           .n = 11,
                                           .pearson = pearson,
                                           .spearman = pearson,
                                           .pearson_interval = interval,
                                           .spearman_interval = interval});
  return input;
}

TEST(CorrelationClaim, TakesTheIntervalsAndTheSize) {
  const ReportFinding high = FindingOf(Correlated(0.8, {0.7, 0.9}), kGer);
  EXPECT_EQ(high.verdict, Verdict::kConfirmed) << high.numbers;
  EXPECT_THAT(high.numbers, HasSubstr("Over all cells (11 points), Pearson 0.80 (0.70 to 0.90)"));
  EXPECT_THAT(high.numbers, HasSubstr("over the 11 cells of the paper's presses Pearson 1.00"));
  EXPECT_EQ(FindingOf(Correlated(-0.8, {-0.9, -0.7}), kGer).verdict, Verdict::kRefuted);
  EXPECT_EQ(FindingOf(Correlated(0.4, {-0.1, 0.8}), kGer).verdict, Verdict::kNotDecidable);
  EXPECT_EQ(FindingOf(Correlated(0.2, {0.1, 0.3}), kGer).verdict, Verdict::kNotDecidable);
  ReportInput input = Correlated(0.8, {0.7, 0.9});
  input.statistics.correlations[0].pearson_interval.reset();
  EXPECT_EQ(FindingOf(input, kGer).verdict, Verdict::kNotDecidable);
}

TEST(CorrelationClaim, LeavesTheRandomArmOut) {
  ReportInput input = Correlated(0.8, {0.7, 0.9});  // made by random cells alone
  for (ReportRow& row : input.rows) row.press = "random";
  const ReportFinding finding = FindingOf(input, kGer);
  EXPECT_EQ(finding.verdict, Verdict::kNotDecidable);
  EXPECT_THAT(finding.numbers, HasSubstr("0 cells have a GER"));
  for (ReportRow& row : input.rows) {
    row.press = kChunk;
    row.hallucination_rate = 0.3;  // does not vary
  }
  EXPECT_EQ(FindingOf(input, kGer).verdict, Verdict::kNotDecidable);
}

TEST(CorrelationClaim, SaysWhyThereIsNone) {
  ReportInput input = Correlated(kNan, {kNan, kNan});
  input.statistics.correlations[0].note = "GER does not vary";
  EXPECT_THAT(FindingOf(input, kGer).numbers, HasSubstr("calculated (GER does not vary)"));
  input.statistics.correlations.clear();
  EXPECT_EQ(FindingOf(input, kGer).verdict, Verdict::kNotDecidable);
}

TEST(CorrelationClaim, TakesEachModelsScopeWhereThereIsOne) {
  ReportInput input;
  AddCurve({"base \u00B7 a"}, FallFrom(0.9, 0, 1), input);
  AddCurve({"base \u00B7 b"}, FallFrom(0.9, 0, 1), input);
  const auto add = [&](const std::string& scope, double pearson) {
    input.statistics.correlations.push_back(
        {.scope = scope,
         .n = 11,
         .pearson = pearson,
         .pearson_interval = ReportInterval{pearson - 0.1, pearson + 0.1}});
  };
  add("all cells", 0.5);
  EXPECT_EQ(FindingOf(input, kGer).claim, "Hallucinations go with evicted answers (GER)");
  add("base \u00B7 a \u00B7 agnostic", -0.8);  // of one data set only
  add("base \u00B7 b \u00B7 agnostic", -0.8);
  EXPECT_EQ(FindingOf(input, kGer).verdict, Verdict::kConfirmed);
  add("a", 0.8);
  add("all cells \u00B7 b", -0.8);
  EXPECT_EQ(FindingOf(input, "(GER) (a)").verdict, Verdict::kConfirmed);
  EXPECT_EQ(FindingOf(input, "(GER) (b)").verdict, Verdict::kRefuted);
}

}  // namespace
}  // namespace kvscope::orchestrator
