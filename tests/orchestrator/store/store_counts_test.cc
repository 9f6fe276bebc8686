// Counts: what is queued, leased and done, over all sweeps and within one; sizes and commits.
#include "tests/orchestrator/store/store_fixture.h"

namespace kvscope::orchestrator {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

class StoreCounts : public StoreTest {};

TEST_F(StoreCounts, SlicesComeInTheOrderOfTheirUnits) {
  ASSERT_TRUE(store_->CreateSweep(Spec("s1", {Dataset("data", 10)})).ok());
  ASSERT_TRUE(store_->BeginPlan("s1", "model", "cpu", "v1").ok());
  const std::vector<PlannedUnit> units = {
      {"k1", 0, "agnostic", 0, 1, 4}, {"k2", 0, "agnostic", 1, 1, 4}, {"k3", 0, "aware", 0, 1, 4}};
  ASSERT_TRUE(store_->AddUnits("s1", 0, units).ok());
  ASSERT_TRUE(store_->FinishPlan("s1", 2000).ok());
  ASSERT_TRUE(Commit(*Lease(), SmallResult(0.5)));
  const LeasedUnit second = *Lease();
  ASSERT_TRUE(store_->WriteLeases().ok());
  auto slices = store_->CountSlices(store_->FindSweep("s1")->row).value();
  ASSERT_EQ(slices.size(), 2u);
  EXPECT_EQ(slices[0].slice.regime, "agnostic");
  EXPECT_EQ(slices[0].counts.done, 1);
  EXPECT_EQ(slices[0].counts.leased, 1);
  EXPECT_EQ(slices[1].slice.regime, "aware");
  EXPECT_EQ(slices[1].counts.pending, 1);
  ASSERT_TRUE(store_->ReleaseLease(second.key, second.token, {.retryable = false}, 3000).ok());
  slices = store_->CountSlices(store_->FindSweep("s1")->row).value();
  EXPECT_EQ(slices[0].counts.failed, 1);
}

TEST_F(StoreCounts, TotalsAreOverAllSweeps) {
  EXPECT_TRUE(store_->CountAll()->sweeps.empty());
  RunningSweep("s1", {"k1", "k2", "k3"});
  ASSERT_TRUE(Commit(*Lease(), SmallResult(0.5)));
  RunningSweep("s2", {"k1"});  // done already
  ASSERT_TRUE(store_->CreateSweep(Spec("s3", {Dataset("data", 10)})).ok());
  Lease();
  ASSERT_TRUE(store_->WriteLeases().ok());
  const StoreTotals totals = store_->CountAll().value();
  EXPECT_THAT(totals.sweeps,
              ElementsAre(Pair(SweepState::kChecking, 1), Pair(SweepState::kRunning, 1),
                          Pair(SweepState::kSucceeded, 1)));
  EXPECT_EQ(totals.units_pending, 1);
  EXPECT_EQ(totals.units_running, 1);
  EXPECT_EQ(totals.units_done, 2);  // k1, once for each of its sweeps
  EXPECT_EQ(totals.units_failed, 0);
}

TEST_F(StoreCounts, TheOldestQueuedSweepIsThatWithUnitsWaiting) {
  EXPECT_EQ(store_->OldestQueuedMs().value(), 0);
  NewSweep older = Spec("s1", {Dataset("data", 10)}), newer = Spec("s2", {Dataset("data", 10)});
  newer.create_time_ms = 5000;
  ASSERT_TRUE(store_->CreateSweep(older).ok());
  ASSERT_TRUE(store_->CreateSweep(newer).ok());
  Plan("s1", {"k1"});
  Plan("s2", {"k2"});
  EXPECT_EQ(store_->OldestQueuedMs().value(), 1000);
  Lease();
  ASSERT_TRUE(store_->WriteLeases().ok());
  EXPECT_EQ(store_->OldestQueuedMs().value(), 5000);
}

TEST_F(StoreCounts, CommitsAreSeenWithTheirEnd) {
  int done = 0, failed = 0;
  store_->OnCommit([&](absl::Duration took, const absl::Status& status) {
    EXPECT_GE(took, absl::ZeroDuration());
    ++(status.ok() ? done : failed);
  });
  RunningSweep("s1", {"k1"});
  EXPECT_GT(done, 3);
  EXPECT_EQ(failed, 0);
  EXPECT_FALSE(store_->FailCheck("s1", "late", 1).ok());  // it is not being checked
  EXPECT_EQ(failed, 1);
}

TEST_F(StoreCounts, SizesAreThoseOfTheFiles) {
  RunningSweep("s1", {"k1"});
  const StoreSizes sizes = store_->Sizes();
  EXPECT_EQ(sizes.database, static_cast<int64_t>(std::filesystem::file_size(path_)));
  EXPECT_EQ(sizes.log, static_cast<int64_t>(std::filesystem::file_size(path_ + "-wal")));
  EXPECT_GT(sizes.log, 0);
}

}  // namespace
}  // namespace kvscope::orchestrator
