// Checks, leases, deadlines and the ends of sweeps.
#include <algorithm>
#include <map>
#include <tuple>

#include "tests/orchestrator/schedule/schedule_fixture.h"

namespace kvscope::orchestrator {
namespace {

using ::testing::HasSubstr;

class Schedule : public ScheduleTest {};

TEST_F(Schedule, ASweepRunsToItsEnd) {
  Submit("s1", 3);
  EXPECT_EQ(Sweep("s1").state, SweepState::kChecking);
  CheckOne(SmallPlan());
  EXPECT_EQ(Sweep("s1").state, SweepState::kRunning);
  EXPECT_EQ(Sweep("s1").model, "model");
  clock_.Advance(absl::Seconds(5));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(Complete(*Take(1)));
  EXPECT_EQ(Sweep("s1").state, SweepState::kSucceeded);
  EXPECT_EQ(Sweep("s1").end_time_ms, absl::ToUnixMillis(clock_.Now()));
  EXPECT_EQ(Sweep("s1").streams_done, 12);
  EXPECT_FALSE(Take(1).has_value());
}

TEST_F(Schedule, ARefusedCheckEndsTheSweepWithItsError) {
  Submit("s1", 3);
  ASSERT_TRUE(scheduler_->TakeCheck(Worker(1))->has_value());
  ASSERT_TRUE(scheduler_->RefuseCheck(1, "s1", "presses: no press is called snapvk").ok());
  EXPECT_EQ(Sweep("s1").state, SweepState::kFailed);
  EXPECT_EQ(Sweep("s1").error, "presses: no press is called snapvk");
}

TEST_F(Schedule, ALostCheckGoesToAnotherWorkerABoundedNumberOfTimes) {
  Submit("s1", 3);
  for (int session = 1; session <= 3; ++session) {
    ASSERT_TRUE(scheduler_->TakeCheck(Worker(session))->has_value());
    EXPECT_FALSE(scheduler_->TakeCheck(Worker(9))->has_value());
    if (session == 2) {
      clock_.Advance(absl::Minutes(15));
      scheduler_->Tick();
    } else {
      scheduler_->Lose(session, "the worker hung up");
    }
  }
  EXPECT_FALSE(scheduler_->TakeCheck(Worker(4))->has_value());
  EXPECT_EQ(Sweep("s1").state, SweepState::kFailed);
  EXPECT_THAT(Sweep("s1").error, HasSubstr("tried 3 times"));
}

TEST_F(Schedule, AStaleCheckReplyChangesNothing) {
  Submit("s1", 3);
  ASSERT_TRUE(scheduler_->TakeCheck(Worker(1))->has_value());
  scheduler_->Lose(1, "gone");
  ASSERT_TRUE(scheduler_->TakeCheck(Worker(2))->has_value());
  ASSERT_TRUE(scheduler_->RefuseCheck(1, "s1", "late").ok());
  ASSERT_TRUE(scheduler_->AcceptCheck(1, "s1", {SmallPlan()}, "late").ok());
  EXPECT_EQ(Sweep("s1").state, SweepState::kChecking);
  EXPECT_FALSE(scheduler_->planning());
}

TEST_F(Schedule, ChecksNeedTheSpecsDevice) {
  const int64_t dataset = Dataset("data", 3);
  NewSweep sweep = Spec("s1", {dataset});
  sweep.device = "cuda";
  ASSERT_TRUE(store_->CreateSweep(sweep).ok());
  EXPECT_FALSE(scheduler_->TakeCheck(Worker(1))->has_value());
  WorkerId gpu = Worker(2);
  gpu.devices = {"cpu", "cuda"};
  EXPECT_TRUE(scheduler_->TakeCheck(gpu)->has_value());
}

TEST_F(Schedule, ASweepOfOneDeviceOfSeveralStaysOnIt) {
  NewSweep sweep = Spec("s1", {Dataset("data", 3)});
  sweep.device = "cuda:1";
  ASSERT_TRUE(store_->CreateSweep(sweep).ok());
  WorkerId first = Worker(1), second = Worker(2);
  first.devices = {"cuda", "cuda:0"};
  second.devices = {"cuda", "cuda:1"};
  EXPECT_FALSE(scheduler_->TakeCheck(first)->has_value());
  ASSERT_TRUE(scheduler_->TakeCheck(second)->has_value());
  SweepPlan plan = SmallPlan();
  plan.device = "cuda";
  ASSERT_TRUE(scheduler_->AcceptCheck(2, "s1", {plan}, "").ok());
  while (scheduler_->planning()) ASSERT_TRUE(scheduler_->PlanSome().ok());
  EXPECT_FALSE(scheduler_->Lease(first)->has_value());
  EXPECT_TRUE(scheduler_->Lease(second)->has_value());
}

TEST_F(Schedule, HeartbeatsKeepALeaseAndSilenceLosesIt) {
  Submit("s1", 1);
  CheckOne(SmallPlan());
  const LeasedUnit unit = *Take(1);
  for (int i = 0; i < 10; ++i) {
    clock_.Advance(absl::Seconds(59));
    EXPECT_TRUE(scheduler_->Heartbeat(1, unit.key, unit.token, 3));
    EXPECT_TRUE(scheduler_->Tick().empty());
  }
  EXPECT_EQ(scheduler_->StreamsRunning()["s1"], 3);
  EXPECT_FALSE(scheduler_->Heartbeat(1, unit.key, unit.token + 1, 3));
  EXPECT_FALSE(scheduler_->Heartbeat(2, unit.key, unit.token, 3));
  clock_.Advance(absl::Seconds(60));
  const auto lost = scheduler_->Tick();
  ASSERT_EQ(lost.size(), 1u);
  EXPECT_EQ(lost[0].session, 1);
  EXPECT_EQ(lost[0].key, unit.key);
  EXPECT_TRUE(scheduler_->StreamsRunning().empty());
  EXPECT_FALSE(scheduler_->Heartbeat(1, unit.key, unit.token, 3));
  EXPECT_FALSE(Complete(unit));  // late
  EXPECT_EQ(Take(2)->attempt, 2);
}

TEST_F(Schedule, AUnitThatKillsWorkersIsSetAside) {
  Submit("s1", 2);
  CheckOne(SmallPlan());
  const std::string poison = Take(1)->key;
  scheduler_->Lose(1, "the worker's stream broke");
  for (int session = 2; session <= 3; ++session) {
    EXPECT_EQ(Take(session)->key, poison);
    scheduler_->Lose(session, "the worker's stream broke");
  }
  EXPECT_TRUE(Complete(*Take(4)));
  EXPECT_EQ(Sweep("s1").state, SweepState::kFailed);
  EXPECT_THAT(Sweep("s1").error, HasSubstr("1 of 2 units"));
  EXPECT_THAT(Sweep("s1").error, HasSubstr("the worker's stream broke"));
  RowCursor cursor;
  EXPECT_EQ(store_->ReadAnswers(Sweep("s1").row, 100, cursor)->size(), 4u);
}

TEST_F(Schedule, AResultThatDoesNotCoverItsUnitIsAFailedAttempt) {
  Submit("s1", 1);
  CheckOne(SmallPlan());
  const auto refuse = [&](const std::function<void(UnitResult&)>& damage) {
    const LeasedUnit unit = *Take(1);
    UnitResult result = ResultOf(unit, "answer");
    damage(result);
    const auto status = scheduler_->Complete(unit.key, unit.token, result).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  EXPECT_THAT(refuse([](UnitResult& r) { r.answers.pop_back(); }), HasSubstr("3 answers where 4"));
  EXPECT_THAT(refuse([](UnitResult& r) { r.answers[0].place.press = 1; }),
              HasSubstr("press_index = 1"));
  EXPECT_THAT(refuse([](UnitResult& r) { r.answers[1] = r.answers[0]; }), HasSubstr("same place"));
  EXPECT_EQ(Sweep("s1").state, SweepState::kFailed);
  EXPECT_THAT(Sweep("s1").error, HasSubstr("same place"));
}

TEST_F(Schedule, AFullDiskCostsNoAttempt) {
  Submit("s1", 1);
  CheckOne(SmallPlan());
  for (int i = 0; i < 4; ++i) {
    const LeasedUnit unit = *Take(1);
    EXPECT_EQ(unit.attempt, 1);
    ASSERT_TRUE(store_->LimitPages(1).ok());
    const auto refused =
        scheduler_->Complete(unit.key, unit.token, ResultOf(unit, std::string(200000, 'a')));
    EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
    ASSERT_TRUE(store_->LimitPages(0).ok());
    scheduler_->Tick();
  }
  EXPECT_TRUE(Complete(*Take(1)));
  EXPECT_EQ(Sweep("s1").state, SweepState::kSucceeded);
}

TEST_F(Schedule, AResultThatIsBeingRecordedIsNotLost) {
  Submit("s1", 1);
  CheckOne(SmallPlan());
  const LeasedUnit unit = *Take(1);
  ASSERT_TRUE(scheduler_->BeginComplete(unit.key, unit.token).has_value());
  EXPECT_FALSE(scheduler_->BeginComplete(unit.key, unit.token).has_value());  // sent twice
  clock_.Advance(absl::Hours(1));
  EXPECT_TRUE(scheduler_->Tick().empty());
  scheduler_->Lose(1, "hung up");
  EXPECT_FALSE(Take(2).has_value());
  EXPECT_TRUE(scheduler_->Commit(unit, ResultOf(unit, "answer")).value());
  EXPECT_TRUE(scheduler_->EndComplete(unit, absl::OkStatus()).ok());
  EXPECT_EQ(scheduler_->lease_count(), 0u);
  EXPECT_EQ(Sweep("s1").state, SweepState::kSucceeded);
}

TEST_F(Schedule, CancellingNamesTheWorkersToStop) {
  Submit("s1", 2);
  CheckOne(SmallPlan());
  const LeasedUnit unit = *Take(7);
  const auto lost = scheduler_->Cancel("s1", "").value();
  ASSERT_EQ(lost.size(), 1u);
  EXPECT_EQ(lost[0].session, 7);
  EXPECT_EQ(lost[0].key, unit.key);
  EXPECT_FALSE(Complete(unit));
  EXPECT_FALSE(Take(7).has_value());
  ASSERT_TRUE(scheduler_->Resume("s1", "").ok());
  CheckOne(SmallPlan());
  EXPECT_EQ(Take(7)->attempt, 1);
}

TEST_F(Schedule, CancellingDuringCheckAndPlan) {
  Submit("s1", 2);
  ASSERT_TRUE(scheduler_->TakeCheck(Worker(1))->has_value());
  ASSERT_TRUE(scheduler_->Cancel("s1", "").ok());
  ASSERT_TRUE(scheduler_->AcceptCheck(1, "s1", {SmallPlan()}, "late").ok());
  EXPECT_FALSE(scheduler_->planning());
  ASSERT_TRUE(scheduler_->Resume("s1", "").ok());
  ASSERT_TRUE(scheduler_->TakeCheck(Worker(1))->has_value());
  ASSERT_TRUE(scheduler_->AcceptCheck(1, "s1", {SmallPlan()}, "model").ok());
  ASSERT_TRUE(scheduler_->Cancel("s1", "").ok());
  EXPECT_FALSE(scheduler_->planning());
  EXPECT_EQ(Sweep("s1").state, SweepState::kCancelled);
}

TEST_F(Schedule, OldestSweepFirst) {
  Submit("s1", 2);
  CheckOne(SmallPlan());
  Submit("s2", 4);
  CheckOne(SmallPlan());
  // Their passages are the same texts: s2 shares the first two units with s1.
  EXPECT_EQ(Take(1)->sweep_id, "s1");
  EXPECT_EQ(Take(1)->sweep_id, "s1");
  EXPECT_EQ(Take(1)->sweep_id, "s2");
  EXPECT_EQ(Take(1)->sweep_id, "s2");
  EXPECT_FALSE(Take(1).has_value());
}

TEST_F(Schedule, DeletedResultsAreNotReused) {
  Submit("s1", 2);
  CheckOne(SmallPlan());
  while (const auto unit = Take(1)) EXPECT_TRUE(Complete(*unit));
  ASSERT_TRUE(scheduler_->Delete("s1", "").ok());
  ASSERT_EQ(store_->CollectOrphans(100).value(), 2);
  Submit("s2", 2);
  CheckOne(SmallPlan());
  EXPECT_EQ(Sweep("s2").units_reused, 0);
  EXPECT_TRUE(Take(1).has_value());
}

TEST_F(Schedule, UsersShareTheWorkersWhateverTheyHaveWaiting) {
  for (const auto& [id, passages, owner] : std::vector<std::tuple<std::string, int, std::string>>{
           {"a1", 101, "ann"}, {"a2", 102, "ann"}, {"b1", 103, "bob"}}) {
    Submit(id, passages, owner);
    CheckOne(SmallPlan());
  }
  std::map<std::string, int64_t> streams;
  int64_t largest = 0;
  while (streams["bob"] < 100) {
    const std::optional<LeasedUnit> unit = Take(1);
    ASSERT_TRUE(unit.has_value());
    streams[unit->owner] += unit->streams;
    largest = std::max(largest, unit->streams);
  }
  EXPECT_NEAR(static_cast<double>(streams["ann"]), static_cast<double>(streams["bob"]),
              static_cast<double>(largest));
}

TEST_F(Schedule, AHigherPriorityGoesFirst) {
  Submit("s1", 101, "ann", -1);
  CheckOne(SmallPlan());
  Submit("s2", 102, "ann");
  CheckOne(SmallPlan());
  Submit("s3", 103, "bob", 5);
  CheckOne(SmallPlan());
  std::vector<std::string> order;
  while (const std::optional<LeasedUnit> unit = Take(1)) {
    if (order.empty() || order.back() != unit->sweep_id) order.push_back(unit->sweep_id);
  }
  EXPECT_THAT(order, testing::ElementsAre("s3", "s2", "s1"));
}

}  // namespace
}  // namespace kvscope::orchestrator
