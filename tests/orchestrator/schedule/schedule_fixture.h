// A scheduler over a store of its own, with time that moves by hand.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "services/orchestrator/schedule/scheduler.h"
#include "tests/orchestrator/store/store_fixture.h"

namespace kvscope::orchestrator {

class HandClock final : public Clock {
 public:
  absl::Time Now() const override { return absl::UnixEpoch() + now_; }
  absl::Duration Uptime() const override { return now_; }
  void Advance(absl::Duration by) { now_ += by; }

 private:
  absl::Duration now_ = absl::Hours(1);
};

class ScheduleTest : public StoreTest {
 protected:
  ScheduleTest() { Restart(); }

  // As a new process on the same file.
  void Restart() {
    scheduler_.reset();
    Open();
    scheduler_ = std::make_unique<Scheduler>(*store_, clock_, ScheduleOptions{});
  }

  static WorkerId Worker(int64_t session) {
    return {.session = session,
            .name = absl::StrCat("w", session),
            .devices = {"cpu"},
            .code_version = "v1"};
  }

  static SweepPlan SmallPlan() {
    SweepPlan plan;
    plan.regimes = {"agnostic"};
    plan.presses = {"snapkv"};
    plan.ratios = {0, 0.5};
    plan.max_new_tokens = 8;
    plan.weights_digest = "weights";
    plan.device = "cpu";
    plan.dtype = "float32";
    plan.code_version = "v1";
    plan.parameter_count = 1000000;
    plan.context_tokens_total = 1000;
    return plan;
  }

  // Submits a sweep of `passages` passages with two questions each.
  void Submit(const std::string& id, int passages, const std::string& owner = "",
              int priority = 0) {
    const int64_t dataset = Dataset(absl::StrCat("data", passages), passages);
    NewSweep sweep = Spec(id, {dataset});
    sweep.owner = owner;
    sweep.priority = priority;
    ASSERT_TRUE(store_->CreateSweep(sweep).ok());
  }

  // Has the oldest waiting sweep checked by a worker, and plans it: one plan a model.
  void CheckOne(const SweepPlan& plan, int64_t session = 100) { CheckModels({plan}, session); }
  void CheckModels(const std::vector<SweepPlan>& plans, int64_t session = 100) {
    const auto check = scheduler_->TakeCheck(Worker(session));
    ASSERT_TRUE(check.ok() && check->has_value());
    ASSERT_TRUE(scheduler_->AcceptCheck(session, (*check)->sweep_id, plans, "model").ok());
    while (scheduler_->planning()) ASSERT_TRUE(scheduler_->PlanSome().ok());
  }

  std::optional<LeasedUnit> Take(int64_t session) {
    auto unit = scheduler_->Lease(Worker(session));
    EXPECT_TRUE(unit.ok()) << unit.status();
    return unit.ok() ? *unit : std::nullopt;
  }

  bool Complete(const LeasedUnit& unit, const std::string& text = "answer") {
    const auto accepted = scheduler_->Complete(unit.key, unit.token, ResultOf(unit, text));
    EXPECT_TRUE(accepted.ok()) << accepted.status();
    return accepted.ok() && *accepted;
  }

  // A whole result, with two questions a passage.
  static UnitResult ResultOf(const LeasedUnit& unit, const std::string& text) {
    UnitResult result;
    for (int passage = 0; passage < unit.passage_count; ++passage) {
      for (int press = 0; press < unit.press_count; ++press) {
        for (int ratio = 0; ratio < unit.ratio_count; ++ratio) {
          result.cells.push_back({.place = {passage, press, ratio, -1},
                                  .full_pairs = 1,
                                  .evicted_share_layer = {},
                                  .eviction_rate_layer = {}});
          for (int question = 0; question < 2; ++question) {
            AnswerRow answer;
            answer.place = {passage, press, ratio, question};
            answer.answer = text;
            result.answers.push_back(answer);
          }
        }
      }
    }
    return result;
  }

  SweepRecord Sweep(const std::string& id) { return store_->FindSweep(id).value(); }

  HandClock clock_;
  std::unique_ptr<Scheduler> scheduler_;
};

}  // namespace kvscope::orchestrator
