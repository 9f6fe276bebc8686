// Whatever happens in whatever order, every unit is recorded exactly once.
#include <algorithm>
#include <random>

#include "tests/orchestrator/schedule/schedule_fixture.h"

namespace kvscope::orchestrator {
namespace {

// Leases that some worker once got; it may speak up at any time, even after it lost them.
struct Memory {
  LeasedUnit unit;
  int64_t session = 0;
};

class Interleaving : public ScheduleTest {
 protected:
  int Draw(int n) { return static_cast<int>(random_() % static_cast<unsigned>(n)); }

  const Memory* AnyLease() {
    return memory_.empty() ? nullptr : &memory_[static_cast<size_t>(Draw(memory_.size()))];
  }

  // A result says which lease made it: the recorded one must be the accepted one.
  void TryComplete(const Memory& lease) {
    const std::string text = absl::StrCat(lease.unit.key, "/", lease.unit.token);
    if (Complete(lease.unit, text)) {
      EXPECT_TRUE(accepted_.emplace(lease.unit.key, text).second) << "recorded twice";
    }
  }

  void Step() {
    const int64_t session = 1 + Draw(3);
    const Memory* lease = AnyLease();
    switch (Draw(14)) {
      case 0:
      case 1:
      case 2:
      case 3:
        if (const auto unit = Take(session)) memory_.push_back({*unit, session});
        break;
      case 4:
      case 5:
      case 6:
        if (lease != nullptr) TryComplete(*lease);
        break;
      case 7:
        if (lease != nullptr) {
          scheduler_->Heartbeat(lease->session, lease->unit.key, lease->unit.token, Draw(5));
        }
        break;
      case 8:
        if (lease == nullptr) break;
        EXPECT_TRUE(scheduler_->Fail(lease->unit.key, lease->unit.token, "failed", true).ok());
        break;
      case 9:
        if (lease == nullptr) break;
        EXPECT_TRUE(scheduler_->Return(lease->unit.key, lease->unit.token).ok());
        break;
      case 10:
        clock_.Advance(absl::Seconds(Draw(50)));
        scheduler_->Tick();
        break;
      case 11:
        scheduler_->Lose(session, "died");
        break;
      case 12:
        if (Draw(4) == 0) Restart();
        break;
      case 13:
        ChangeSweep(absl::StrCat("s", 1 + Draw(3)));
        break;
    }
  }

  void ChangeSweep(const std::string& id) {
    if (Draw(2) == 0) {
      EXPECT_TRUE(scheduler_->Cancel(id, "").ok());
    } else {
      EXPECT_TRUE(scheduler_->Resume(id, "").ok());
      CheckAll();
    }
  }

  void CheckAll() {
    while (scheduler_->TakeCheck(Worker(50)).value().has_value()) {
    }
    const std::vector<SweepRecord> checking = store_->CheckingSweeps(10).value();
    for (const SweepRecord& sweep : checking) {
      EXPECT_TRUE(scheduler_->AcceptCheck(50, sweep.sweep_id, {SmallPlan()}, "model").ok());
    }
    while (scheduler_->planning()) EXPECT_TRUE(scheduler_->PlanSome().ok());
  }

  // From now on nothing goes wrong; all sweeps must succeed.
  void Finish() {
    scheduler_->Lose(1, "died");
    scheduler_->Lose(2, "died");
    scheduler_->Lose(3, "died");
    for (int round = 0; round < 3; ++round) {
      for (const char* id : {"s1", "s2", "s3"}) ASSERT_TRUE(scheduler_->Resume(id, "").ok());
      CheckAll();
      while (const auto unit = Take(1)) TryComplete({*unit, 1});
    }
  }

  void ExpectRecordedOnce(const std::string& id) {
    const SweepRecord sweep = Sweep(id);
    EXPECT_EQ(sweep.state, SweepState::kSucceeded) << id << ": " << sweep.error;
    EXPECT_EQ(sweep.units_done, sweep.units_total);
    EXPECT_EQ(sweep.units_failed, 0);
    EXPECT_EQ(sweep.streams_done, sweep.streams_total);
    std::map<int64_t, std::string> keys;
    const std::vector<UnitRecord> units = store_->ListUnits(sweep.row, -1, 1000).value();
    for (const UnitRecord& unit : units) {
      keys[unit.seq] = unit.key;
    }
    int64_t answers = 0;
    RowCursor cursor;
    while (true) {
      const auto page = store_->ReadAnswers(sweep.row, 100, cursor).value();
      if (page.empty()) break;
      for (const StoredAnswer& answer : page) {
        EXPECT_EQ(answer.answer.answer, accepted_.at(keys.at(answer.slice.seq)));
        ++answers;
      }
    }
    EXPECT_EQ(answers, sweep.streams_total);
  }

  std::mt19937 random_;
  std::vector<Memory> memory_;
  std::map<std::string, std::string> accepted_;  // unit key → the recorded text
};

TEST_F(Interleaving, EveryUnitIsRecordedExactlyOnce) {
  for (unsigned seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    random_.seed(seed);
    memory_.clear();
    accepted_.clear();
    scheduler_.reset();
    store_.reset();
    for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(path_ + suffix);
    Restart();
    Submit("s1", 4);  // the three share units
    Submit("s2", 6);
    Submit("s3", 4);
    CheckAll();
    const int steps = 20 + Draw(200);
    for (int i = 0; i < steps; ++i) Step();
    Finish();
    for (const char* id : {"s1", "s2", "s3"}) ExpectRecordedOnce(id);
    EXPECT_EQ(accepted_.size(), 6u);
    if (HasFailure()) break;
  }
}

}  // namespace
}  // namespace kvscope::orchestrator
