// Results: what is written is read back, in order, and added up.
#include <cmath>
#include <limits>

#include "tests/orchestrator/store/store_fixture.h"

namespace kvscope::orchestrator {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::IsNan;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

class StoreResults : public StoreTest {};

TEST_F(StoreResults, AnswersComeBackInOrderAcrossPages) {
  const int64_t row = RunningSweep("s1", {"k1", "k2", "k3"});
  const LeasedUnit first = *Lease(), second = *Lease();
  const LeasedUnit third = *Lease();
  ASSERT_TRUE(Commit(third, SmallResult(0.5)));
  ASSERT_TRUE(Commit(first, SmallResult(0.5)));
  (void)second;  // not done: left out
  for (int64_t limit : {1, 3, 4, 5, 100}) {
    std::string order;
    RowCursor cursor;
    while (true) {
      const auto page = store_->ReadAnswers(row, limit, cursor).value();
      if (page.empty()) break;
      for (const StoredAnswer& a : page) {
        absl::StrAppend(&order, a.slice.seq, a.answer.place.ratio, a.answer.place.question, " ");
        EXPECT_EQ(a.slice.first_passage, a.slice.seq);
        EXPECT_EQ(a.cell.kept_bytes, 50 - a.answer.place.ratio);
      }
    }
    EXPECT_EQ(order, "000 001 010 011 200 201 210 211 ") << "pages of " << limit;
  }
}

TEST_F(StoreResults, EveryFieldOfAnAnswerSurvives) {
  const int64_t row = RunningSweep("s1", {"k1"});
  UnitResult result = SmallResult(0.5);
  AnswerRow& answer = result.answers[0];
  answer.answer = std::string("nul\0 and ü", 11);
  answer.generated_tokens = 7;
  answer.ended = true;
  answer.ger = 0.25;
  answer.generated_consensus_mean = 0.125;
  answer.consensus_layer = {1.0, kNaN, 3.0};
  answer.routes = std::string("\x08\0\x01", 3);
  ASSERT_TRUE(Commit(*Lease(), result));
  RowCursor cursor;
  const AnswerRow read = store_->ReadAnswers(row, 1, cursor)->front().answer;
  EXPECT_EQ(read.answer, answer.answer);
  EXPECT_EQ(read.generated_tokens, 7);
  EXPECT_TRUE(read.ended);
  EXPECT_TRUE(read.exact);
  EXPECT_EQ(read.ger, 0.25);
  EXPECT_EQ(read.generated_consensus_mean, 0.125);
  EXPECT_EQ(read.ger_layer_mean, std::nullopt);
  EXPECT_THAT(read.consensus_layer, ElementsAre(1.0, IsNan(), 3.0));
  EXPECT_TRUE(read.agreement_layer.empty());
  EXPECT_EQ(read.routes, answer.routes);
}

TEST_F(StoreResults, MeansAreOverDefinedValues) {
  const int64_t row = RunningSweep("s1", {"k1", "k2"});
  UnitResult a = SmallResult(0.5), b = SmallResult(0.1);
  a.answers[2].ger = 1.0;  // ratio 1
  b.answers[3].ger = 0.5;
  a.answers[2].consensus_layer = {2.0, kNaN};
  b.answers[2].consensus_layer = {4.0, kNaN};
  a.answers[2].agreement_layer = {0.5};
  b.answers[3].ger_layer = {1.0, 0.0};
  ASSERT_TRUE(Commit(*Lease(), a));
  ASSERT_TRUE(Commit(*Lease(), b));
  const auto cells = store_->SummarizeCells(row, {0, 0, "agnostic"}).value();
  ASSERT_EQ(cells.size(), 2u);
  EXPECT_EQ(cells[0].ger, std::nullopt);
  EXPECT_EQ(cells[0].exact, 1.0);
  EXPECT_TRUE(cells[0].consensus_layer.empty());
  EXPECT_EQ(cells[1].answers, 4);
  EXPECT_THAT(*cells[1].f1, DoubleNear(0.3, 1e-12));
  EXPECT_EQ(cells[1].ger, 0.75);
  EXPECT_EQ(cells[1].ger_count, 2);
  EXPECT_EQ(cells[1].hallucination_rate, 1.0);
  EXPECT_EQ(cells[1].unknown_rate, 0.0);
  EXPECT_EQ(cells[1].eviction_rate, 0.25);
  EXPECT_EQ(cells[1].kept_ratio, 0.5);
  EXPECT_EQ(cells[1].consensus_mean, std::nullopt);
  EXPECT_THAT(cells[1].consensus_layer, ElementsAre(3.0, IsNan()));
  EXPECT_THAT(cells[1].agreement_layer, ElementsAre(0.5));
  EXPECT_THAT(cells[1].ger_layer, ElementsAre(1.0, 0.0));
  EXPECT_THAT(cells[1].eviction_rate_layer, ElementsAre(0.25));
  EXPECT_THAT(cells[1].evicted_share_layer, ElementsAre(0.5));
  EXPECT_TRUE(store_->SummarizeCells(row, {0, 0, "aware"})->empty());
  EXPECT_EQ(store_->CountUnits(row, {0, 0, "agnostic"})->done, 2);
}

TEST_F(StoreResults, AModelsAnswersAreAddedUpApart) {
  ASSERT_TRUE(store_->CreateSweep(Spec("s1", {Dataset("data", 1)})).ok());
  ASSERT_TRUE(store_->BeginPlan("s1", "check", "cpu", "v1").ok());
  const std::vector<PlannedUnit> units = {
      {"k0", 0, "agnostic", 0, 1, 4, /*model_ordinal=*/0},
      {"k1", 0, "agnostic", 0, 1, 4, /*model_ordinal=*/1},
  };
  ASSERT_TRUE(store_->AddUnits("s1", 0, units).ok());
  ASSERT_TRUE(store_->FinishPlan("s1", 2000).ok());
  const int64_t row = store_->FindSweep("s1")->row;
  for (const double f1 : {0.25, 0.75}) {
    const LeasedUnit lease = *Lease();
    EXPECT_EQ(lease.model_ordinal, f1 == 0.75);
    ASSERT_TRUE(Commit(lease, SmallResult(f1)));
    EXPECT_EQ(store_->CountUnits(row, {1, 0, "agnostic"})->pending, f1 == 0.25);
  }
  const PointRange points = {.ratio_count = 2, .first = 0, .end = 2};
  for (int model = 0; model < 2; ++model) {
    const GridSlice slice = {model, 0, "agnostic"};
    const double f1 = model == 0 ? 0.25 : 0.75;
    EXPECT_EQ(store_->SummarizeCells(row, slice)->at(1).f1, f1);
    EXPECT_EQ(store_->SummarizeTags(row, slice, {Tag::kHop}, points)->at(1).f1, f1);
  }
  EXPECT_TRUE(store_->SummarizeCells(row, {2, 0, "agnostic"})->empty());
  RowCursor cursor;
  const auto answers = store_->ReadAnswers(row, 10, cursor).value();
  ASSERT_EQ(answers.size(), 8u);
  EXPECT_EQ(answers[3].slice.model_ordinal, 0);
  EXPECT_EQ(answers[4].slice.model_ordinal, 1);
}

TEST_F(StoreResults, AQuestionsOwnKeepSetIsJoinedToItsAnswer) {
  const int64_t row = RunningSweep("s1", {"k1"});
  UnitResult result;
  for (int question = 0; question < 2; ++question) {
    CellRow cell;
    cell.place = {0, 0, 0, question};
    cell.eviction_rate = question;
    AnswerRow answer;
    answer.place = {0, 0, 0, question};
    result.cells.push_back(cell);
    result.answers.push_back(answer);
  }
  ASSERT_TRUE(Commit(*Lease(), result));
  RowCursor cursor;
  const auto answers = store_->ReadAnswers(row, 10, cursor).value();
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(answers[1].cell.eviction_rate, 1.0);
  EXPECT_EQ(store_->SummarizeCells(row, {0, 0, "agnostic"})->front().eviction_rate, 0.5);
}

TEST_F(StoreResults, TwoRowsInOnePlaceAreRefusedWhole) {
  RunningSweep("s1", {"k1"});
  UnitResult result = SmallResult(0.5);
  result.answers.push_back(result.answers.front());
  const LeasedUnit lease = *Lease();
  EXPECT_EQ(store_->CommitResult(lease.key, lease.token, result, 0).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(Commit(lease, SmallResult(0.5)));  // nothing of the first was left
}

TEST_F(StoreResults, HeatmapsComeBackInOrder) {
  const int64_t row = RunningSweep("s1", {"k1", "k2"});
  UnitResult result = SmallResult(0.5);
  HeatmapRow heatmap{.place = {0, 0, 1, -1},
                     .layers = 2,
                     .kv_heads = 1,
                     .keep_bits = std::string("\x00\xff", 2),
                     .tokens = {"a", "", "ü\n"},
                     .answer_tokens = {1, 2},
                     .question = "Who?"};
  result.heatmaps = {heatmap, heatmap};
  result.heatmaps[1].place.ratio = 0;
  Lease();
  ASSERT_TRUE(Commit(*Lease(), result));
  HeatmapCursor cursor;
  const StoredHeatmap read = store_->ReadHeatmap(row, cursor)->value();
  EXPECT_EQ(read.slice.seq, 1);
  EXPECT_EQ(read.heatmap.keep_bits, heatmap.keep_bits);
  EXPECT_EQ(read.heatmap.tokens, heatmap.tokens);
  EXPECT_EQ(read.heatmap.answer_tokens, heatmap.answer_tokens);
  EXPECT_EQ(store_->ReadHeatmap(row, cursor)->value().heatmap.place.ratio, 0);
  EXPECT_FALSE(store_->ReadHeatmap(row, cursor)->has_value());
}

}  // namespace
}  // namespace kvscope::orchestrator
