// How a sweep is cut into units, and what a unit's key depends on.
#include <algorithm>
#include <functional>
#include <set>

#include "services/orchestrator/schedule/unit_size.h"
#include "tests/orchestrator/schedule/schedule_fixture.h"

namespace kvscope::orchestrator {
namespace {

using ::testing::ElementsAre;

class Plan : public ScheduleTest {
 protected:
  std::vector<UnitRecord> Units(const std::string& id) {
    return store_->ListUnits(Sweep(id).row, -1, 1000).value();
  }
};

TEST_F(Plan, CoversEveryPassageOfEveryRegimeOnce) {
  Submit("s1", 100);
  SweepPlan plan = SmallPlan();
  plan.regimes = {"agnostic", "aware"};
  CheckOne(plan);
  std::map<std::string, int64_t> next;
  int64_t streams = 0;
  for (const UnitRecord& unit : Units("s1")) {
    EXPECT_EQ(unit.first_passage, next[unit.regime]) << unit.regime;
    next[unit.regime] += unit.passage_count;
    streams += unit.passage_count * 4;
  }
  EXPECT_THAT(next, ElementsAre(std::pair("agnostic", 100), std::pair("aware", 100)));
  EXPECT_EQ(Sweep("s1").streams_total, streams);
  EXPECT_GE(Sweep("s1").units_total, kMinUnits);
}

TEST_F(Plan, OnePassageAUnitIsTheLeast) {
  Submit("s1", 3);
  CheckOne(SmallPlan());
  EXPECT_EQ(Sweep("s1").units_total, 3);
}

TEST_F(Plan, LargeSweepsAreCutInSteps) {
  Submit("s1", 300);
  SweepPlan plan = SmallPlan();
  plan.parameter_count = 100'000'000'000;  // one passage a unit
  const auto check = scheduler_->TakeCheck(Worker(1));
  ASSERT_TRUE(scheduler_->AcceptCheck(1, "s1", {plan}, "model").ok());
  EXPECT_FALSE(scheduler_->PlanSome().value());
  EXPECT_EQ(Sweep("s1").state, SweepState::kChecking);
  EXPECT_FALSE(Take(1).has_value());
  while (scheduler_->planning()) ASSERT_TRUE(scheduler_->PlanSome().ok());
  EXPECT_EQ(Sweep("s1").state, SweepState::kRunning);
  EXPECT_EQ(Sweep("s1").units_total, 300);
}

TEST_F(Plan, AProcessThatDiedWhilePlanningStartsOver) {
  Submit("s1", 300);
  SweepPlan plan = SmallPlan();
  plan.parameter_count = 100'000'000'000;
  ASSERT_TRUE(scheduler_->TakeCheck(Worker(1)).ok());
  ASSERT_TRUE(scheduler_->AcceptCheck(1, "s1", {plan}, "model").ok());
  ASSERT_TRUE(scheduler_->PlanSome().ok());
  Restart();
  CheckOne(plan);
  EXPECT_EQ(Sweep("s1").state, SweepState::kRunning);
  EXPECT_EQ(Sweep("s1").units_total, 300);
  EXPECT_EQ(Units("s1").size(), 300u);
}

TEST_F(Plan, EveryModelHasTheUnitsOfASweepOfItsOwn) {
  SweepPlan small = SmallPlan(), large = SmallPlan();
  small.regimes = large.regimes = {"agnostic", "aware"};
  large.weights_digest = "other weights";
  large.parameter_count = 100'000'000'000;  // one passage a unit
  Submit("both", 20);
  CheckModels({small, large});
  Submit("small", 20);
  CheckOne(small);
  Submit("large", 20);
  CheckOne(large);
  std::vector<std::string> both, one_by_one;
  std::vector<int> models;
  for (const UnitRecord& unit : Units("both")) {
    both.push_back(unit.key);
    models.push_back(unit.model_ordinal);
  }
  for (const char* id : {"small", "large"}) {
    for (const UnitRecord& unit : Units(id)) one_by_one.push_back(unit.key);
  }
  EXPECT_EQ(both, one_by_one);
  EXPECT_TRUE(std::is_sorted(models.begin(), models.end()));
  EXPECT_EQ(models.front(), 0);
  EXPECT_EQ(std::count(models.begin(), models.end(), 1), 40);
}

TEST_F(Plan, CopiesOfAModelShareTheirUnits) {
  Submit("s1", 3);
  CheckModels({SmallPlan(), SmallPlan()});
  EXPECT_EQ(Sweep("s1").units_total, 6);
  for (int i = 0; i < 3; ++i) {
    const std::optional<LeasedUnit> unit = Take(1);
    ASSERT_TRUE(unit.has_value());
    EXPECT_TRUE(Complete(*unit));
  }
  EXPECT_FALSE(Take(1).has_value());
  const SweepRecord sweep = Sweep("s1");
  EXPECT_EQ(sweep.state, SweepState::kSucceeded);
  EXPECT_EQ(sweep.streams_total, 24);
  EXPECT_EQ(sweep.streams_done, 24);
  RowCursor cursor;
  const auto answers = store_->ReadAnswers(sweep.row, 100, cursor).value();
  ASSERT_EQ(answers.size(), 24u);
  EXPECT_EQ(answers[11].slice.model_ordinal, 0);
  EXPECT_EQ(answers[12].slice.model_ordinal, 1);
}

TEST(UnitSize, LimitsStreamsFlopsAndBytes) {
  SweepPlan plan;
  plan.regimes = {"agnostic"};
  plan.presses = {"a", "b"};
  plan.ratios = std::vector<double>(10, 0.5);
  plan.parameter_count = 1000;
  const auto largest = [&](int64_t questions, int64_t bytes) {
    UnitSize size(plan, 1000000);
    int64_t passages = 1;
    EXPECT_TRUE(size.StartsUnit("agnostic", questions, bytes));
    while (!size.StartsUnit("agnostic", questions, bytes)) ++passages;
    return passages;
  };
  EXPECT_EQ(largest(10, 100), kUnitStreams / 200);
  EXPECT_EQ(largest(10, 300 << 10), 3);
  EXPECT_EQ(largest(1000, 100), 1);
  plan.parameter_count = 500'000'000;  // 200 streams of 30 tokens: 6e12 operations
  EXPECT_EQ(largest(10, 100), 1);
}

std::string Key(const SweepPlan& plan, const std::string& regime, int64_t first,
                const std::vector<std::string>& bodies) {
  UnitKey key(plan, regime, first);
  for (const std::string& body : bodies) key.AddPassage(body);
  return key.Hex();
}

TEST(UnitKey, DependsOnAllThatDecidesTheResult) {
  SweepPlan plan;
  plan.presses = {"snapkv", "knorm"};
  plan.ratios = {0, 0.5};
  const std::string base = Key(plan, "agnostic", 0, {"a", "b"});
  EXPECT_EQ(base.size(), 64u);
  EXPECT_EQ(Key(plan, "agnostic", 0, {"a", "b"}), base);

  std::set<std::string> keys = {base, Key(plan, "aware", 0, {"a", "b"}),
                                Key(plan, "agnostic", 0, {"ab"}),
                                Key(plan, "agnostic", 0, {"b", "a"})};
  const std::vector<std::function<void(SweepPlan&)>> changes = {
      [](SweepPlan& p) {
        p.presses = {"knorm", "snapkv"};
      },
      [](SweepPlan& p) { p.presses = {"snapkv,knorm"}; },
      [](SweepPlan& p) { p.ratios[1] = 0.25; },
      [](SweepPlan& p) { p.max_new_tokens = 1; },
      [](SweepPlan& p) { p.prompt.instruction = ""; },
      [](SweepPlan& p) { p.prompt.answer_prefix = ""; },
      [](SweepPlan& p) { p.capture_consensus = true; },
      [](SweepPlan& p) { p.heatmap_passages = 1; },
      [](SweepPlan& p) { p.scoring_tokenizer_digest = "other"; },
      [](SweepPlan& p) { p.correct_min_f1 = 0.7; },
      [](SweepPlan& p) { p.partial_above_f1 = 0.7; },
      [](SweepPlan& p) { p.abstentions = {"no answer"}; },
      [](SweepPlan& p) {
        p.abstentions = {"no answer", "none"};
      },
      [](SweepPlan& p) { p.seed = 1; },
      [](SweepPlan& p) { p.weights_digest = "other"; },
      [](SweepPlan& p) { p.tokenizer_digest = "other"; },
      [](SweepPlan& p) { p.device = "cuda"; },
      [](SweepPlan& p) { p.dtype = "bfloat16"; },
      [](SweepPlan& p) { p.code_version = "v2"; },
  };
  for (const auto& change : changes) {
    SweepPlan changed = plan;
    change(changed);
    keys.insert(Key(changed, "agnostic", 0, {"a", "b"}));
  }
  EXPECT_EQ(keys.size(), changes.size() + 4);
}

TEST(UnitKey, TheSlicesPlaceCountsOnlyForHeatMaps) {
  SweepPlan plan;
  EXPECT_EQ(Key(plan, "agnostic", 0, {"a"}), Key(plan, "agnostic", 5, {"a"}));
  plan.heatmap_passages = 2;
  EXPECT_NE(Key(plan, "agnostic", 0, {"a"}), Key(plan, "agnostic", 5, {"a"}));
  EXPECT_EQ(Key(plan, "agnostic", 2, {"a"}), Key(plan, "agnostic", 5, {"a"}));
  EXPECT_NE(Key(plan, "agnostic", 0, {"a", "b"}), Key(plan, "agnostic", 1, {"a", "b"}));
}

}  // namespace
}  // namespace kvscope::orchestrator
