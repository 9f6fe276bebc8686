// Answers parted by their questions' tags: sums over units, undefined values, order, ranges.
#include <cmath>
#include <limits>

#include "tests/orchestrator/store/store_fixture.h"

namespace kvscope::orchestrator {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::string Question(const std::string& direction, int hop) {
  return absl::StrCat(R"({"question":"q","direction":")", direction, R"(","answer_type":"","hop":)",
                      hop, "}");
}

std::string Body(const std::vector<std::string>& questions) {
  std::string body = R"({"context":"c","questions":[)";
  for (const std::string& question : questions) {
    absl::StrAppend(&body, body.back() == '[' ? "" : ",", question);
  }
  return body + "]}";
}

// One press, ratios 0 and 1. Three units; the first has two passages of two questions.
class TagSumsTest : public StoreTest {
 protected:
  TagSumsTest() {
    const int64_t upload = store_->BeginDataset("tagged").value();
    const std::vector<StoredPassage> passages = {
        {"p0", 2, Body({Question("forward", 2), Question("reverse", 10)})},
        {"p1", 2, Body({Question("forward", 10), Question("", 2)})},
        {"p2", 1, Body({Question("reverse", 2)})},
        {"p3", 1, Body({Question("forward", 2)})}};
    EXPECT_TRUE(store_->AddPassages(upload, passages).ok());
    const int64_t dataset = store_->FinishDataset(upload, "digest")->id;
    EXPECT_TRUE(store_->CreateSweep(Spec("s", {dataset})).ok());
    EXPECT_TRUE(store_->BeginPlan("s", "model", "cpu", "v1").ok());
    const std::vector<PlannedUnit> units = {{"k0", 0, "agnostic", 0, 2, 8},
                                            {"k1", 0, "agnostic", 2, 1, 2},
                                            {"k2", 0, "agnostic", 3, 1, 2}};
    EXPECT_TRUE(store_->AddUnits("s", 0, units).ok());
    EXPECT_TRUE(store_->FinishPlan("s", 2000).ok());
    row_ = store_->FindSweep("s")->row;
    UnitResult first;
    AddPassage(first, 0, {0.25, 0.5});
    AddPassage(first, 1, {0.75, 1});
    UnitResult second;
    AddPassage(second, 0, {0});
    EXPECT_TRUE(Commit(*Lease(), first));
    EXPECT_TRUE(Commit(*Lease(), second));  // the third is not done: left out
  }

  // At ratio 0 every F1 is 1; GER is the F1 where that is below 0.6, else undefined.
  static void AddPassage(UnitResult& result, int passage, const std::vector<double>& f1) {
    for (int ratio = 0; ratio < 2; ++ratio) {
      CellRow cell;
      cell.place = {passage, 0, ratio, -1};
      cell.eviction_rate = 0.5 * ratio + 0.125 * passage;
      cell.kept_pairs = 4 - 2 * ratio;
      cell.full_pairs = 4;
      result.cells.push_back(cell);
      for (size_t q = 0; q < f1.size(); ++q) {
        AnswerRow answer;
        answer.place = {passage, 0, ratio, static_cast<int>(q)};
        answer.f1 = ratio == 0 ? 1 : f1[q];
        answer.exact = answer.f1 == 1;
        answer.outcome = answer.f1 >= 0.5 ? 1 : answer.f1 == 0 ? 4 : 3;
        if (answer.f1 < 0.6) answer.ger = answer.f1;
        result.answers.push_back(answer);
      }
    }
  }

  std::vector<CellSummary> Sums(const std::vector<Tag>& tags, int64_t first = 0, int64_t end = 2) {
    return store_
        ->SummarizeTags(row_, {0, 0, "agnostic"}, tags,
                        {.ratio_count = 2, .first = first, .end = end})
        .value();
  }

  int64_t row_ = 0;
};

TEST_F(TagSumsTest, AddsUpOverPassagesAndUnits) {
  const std::vector<CellSummary> sums = Sums({Tag::kDirection}, 1);
  ASSERT_THAT(sums, SizeIs(3));
  const CellSummary &forward = sums[0], &reverse = sums[1], &none = sums[2];
  EXPECT_THAT(forward.tags, ElementsAre("forward"));
  EXPECT_THAT(reverse.tags, ElementsAre("reverse"));
  EXPECT_THAT(none.tags, ElementsAre(""));
  for (const CellSummary& sum : sums) EXPECT_EQ(sum.ratio, 1);
  EXPECT_EQ(forward.answers, 2);
  EXPECT_EQ(forward.f1, 0.5);  // 0.25 and 0.75
  EXPECT_EQ(forward.ger, 0.25);
  EXPECT_EQ(forward.ger_count, 1);
  EXPECT_EQ(forward.hallucination_rate, 0.5);
  EXPECT_EQ(forward.exact, 0);
  EXPECT_EQ(forward.eviction_rate, 0.5625);
  EXPECT_EQ(forward.kept_ratio, 0.5);
  EXPECT_FALSE(forward.consensus_mean.has_value());
  EXPECT_EQ(reverse.answers, 2);  // of two units
  EXPECT_EQ(reverse.f1, 0.25);
  EXPECT_EQ(reverse.ger, 0.25);
  EXPECT_EQ(reverse.ger_count, 2);
  EXPECT_EQ(reverse.unknown_rate, 0.5);
  EXPECT_EQ(none.answers, 1);
  EXPECT_EQ(none.exact, 1);
  EXPECT_FALSE(none.ger.has_value());
}

TEST_F(TagSumsTest, NumbersComeByValueAndTagsCanBeCrossed) {
  std::vector<std::vector<std::string>> tags;
  for (const CellSummary& sum : Sums({Tag::kHop, Tag::kDirection}, 0, 1)) tags.push_back(sum.tags);
  EXPECT_THAT(tags, ElementsAre(ElementsAre("2", "forward"), ElementsAre("2", "reverse"),
                                ElementsAre("2", ""), ElementsAre("10", "forward"),
                                ElementsAre("10", "reverse")));
}

TEST_F(TagSumsTest, GroupsMakeUpTheirCells) {
  const std::vector<CellSummary> cells = store_->SummarizeCells(row_, {0, 0, "agnostic"}).value();
  ASSERT_THAT(cells, SizeIs(2));
  for (const std::vector<Tag>& tags :
       {std::vector{Tag::kHop}, std::vector{Tag::kAnswerType},
        std::vector{Tag::kQuestionType, Tag::kHop, Tag::kDirection, Tag::kAnswerType}}) {
    for (const CellSummary& cell : cells) {
      int64_t answers = 0, ger_count = 0;
      double f1 = 0, ger = 0, eviction = 0;
      for (const CellSummary& group : Sums(tags, cell.ratio, cell.ratio + 1)) {
        EXPECT_EQ(group.ratio, cell.ratio);
        answers += group.answers;
        ger_count += group.ger_count;
        f1 += *group.f1 * static_cast<double>(group.answers);
        eviction += *group.eviction_rate * static_cast<double>(group.answers);
        if (group.ger) ger += *group.ger * static_cast<double>(group.ger_count);
      }
      EXPECT_EQ(answers, cell.answers);
      EXPECT_EQ(ger_count, cell.ger_count);
      EXPECT_DOUBLE_EQ(f1 / static_cast<double>(answers), *cell.f1);
      EXPECT_DOUBLE_EQ(eviction / static_cast<double>(answers), *cell.eviction_rate);
      if (ger_count == 0) {
        EXPECT_FALSE(cell.ger.has_value());
        continue;
      }
      EXPECT_DOUBLE_EQ(ger / static_cast<double>(ger_count), *cell.ger);
    }
  }
}

TEST_F(TagSumsTest, AQuestionsOwnKeepSetCounts) {
  const LeasedUnit lease = *Lease();
  UnitResult third;
  AddPassage(third, 0, {1});
  for (CellRow& cell : third.cells) {
    cell.place.question = 0;
    cell.eviction_rate = 1;
  }
  ASSERT_TRUE(Commit(lease, third));
  EXPECT_EQ(Sums({Tag::kDirection}, 1)[0].eviction_rate, (0.5 + 0.625 + 1) / 3);
}

TEST_F(TagSumsTest, OnlyThePointsAskedForAndOnlyThisSlice) {
  EXPECT_THAT(Sums({Tag::kDirection}), SizeIs(6));
  EXPECT_THAT(Sums({Tag::kDirection}, 0, 1), SizeIs(3));
  EXPECT_THAT(Sums({Tag::kDirection}, 2, 2), IsEmpty());
  EXPECT_THAT(store_->SummarizeTags(row_, {0, 0, "aware"}, {Tag::kHop}, {2, 0, 2}).value(),
              IsEmpty());
  EXPECT_THAT(store_->SummarizeTags(row_, {0, 1, "agnostic"}, {Tag::kHop}, {2, 0, 2}).value(),
              IsEmpty());
}

TEST(TagOf, KnowsTheNames) {
  for (const std::string_view name : kTagNames) EXPECT_EQ(TagName(*TagOf(name)), name);
  EXPECT_FALSE(TagOf("Hop").has_value());
  EXPECT_FALSE(TagOf("").has_value());
}

}  // namespace
}  // namespace kvscope::orchestrator
