// Data sets, sweeps and the leases of units.
#include <gmock/gmock.h>

#include <atomic>
#include <set>
#include <thread>

#include "tests/orchestrator/store/store_fixture.h"

namespace kvscope::orchestrator {
namespace {

using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;

class StoreSweeps : public StoreTest {};

TEST_F(StoreSweeps, EqualDataIsStoredOnce) {
  const int64_t first = Dataset("d1", 3);
  EXPECT_EQ(Dataset("d1", 3), first);
  EXPECT_NE(Dataset("d2", 4), first);
  const StoredDataset found = store_->FindDataset("d1").value();
  EXPECT_EQ(found.passage_count, 3);
  EXPECT_EQ(found.question_count, 6);
  EXPECT_EQ(store_->FindDataset("d3").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(StoreSweeps, PassagesAreReadInPagesOfBoundedSize) {
  const int64_t dataset = Dataset("d1", 10);
  const auto ids = [&](int64_t first, int64_t count, int64_t bytes) {
    std::string text;
    const auto passages = store_->ReadPassages(dataset, first, count, bytes).value();
    for (const StoredPassage& p : passages) {
      text += p.passage_id;
    }
    return text;
  };
  EXPECT_EQ(ids(8, 5, 1000), "p8p9");
  EXPECT_EQ(ids(0, 5, 1), "p0");  // one at least
  EXPECT_EQ(ids(10, 5, 1000), "");
}

TEST_F(StoreSweeps, RepeatedRequestReturnsTheSameSweep) {
  const int64_t dataset = Dataset("d1", 1);
  NewSweep sweep = Spec("s1", {dataset});
  ASSERT_TRUE(store_->CreateSweep(sweep).ok());
  sweep.sweep_id = "s2";  // drawn anew by the caller
  EXPECT_EQ(store_->CreateSweep(sweep)->sweep_id, "s1");
  sweep.spec_digest = "other";
  EXPECT_EQ(store_->CreateSweep(sweep).status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(store_->ListSweeps(0, 10)->size(), 1u);
}

TEST_F(StoreSweeps, ListsNewestFirstInPagesAndFindsByUniqueName) {
  const int64_t dataset = Dataset("d1", 1);
  for (const char* id : {"s1", "s2", "s3"}) {
    NewSweep sweep = Spec(id, {dataset});
    if (sweep.sweep_id != "s1") sweep.name = "twin";
    ASSERT_TRUE(store_->CreateSweep(sweep).ok());
  }
  const auto page = store_->ListSweeps(0, 2).value();
  EXPECT_THAT(
      page, ElementsAre(Field(&SweepRecord::sweep_id, "s3"), Field(&SweepRecord::sweep_id, "s2")));
  EXPECT_THAT(store_->ListSweeps(page.back().row, 2).value(),
              ElementsAre(Field(&SweepRecord::sweep_id, "s1")));
  EXPECT_EQ(store_->FindSweep("name-s1")->sweep_id, "s1");
  EXPECT_EQ(store_->FindSweep("twin").status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(store_->FindSweep("none").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(StoreSweeps, LeasesInOrderToWorkersThatFit) {
  RunningSweep("s1", {"k1", "k2"});
  EXPECT_FALSE(store_->LeaseNext({"w", {"cuda"}, "v1"})->has_value());
  EXPECT_FALSE(store_->LeaseNext({"w", {"cpu"}, "v2"})->has_value());
  const LeasedUnit first = *Lease();
  EXPECT_EQ(first.key, "k1");
  EXPECT_EQ(first.token, 1);
  EXPECT_EQ(first.attempt, 1);
  EXPECT_EQ(first.streams, 4);
  EXPECT_EQ(Lease()->key, "k2");
  EXPECT_FALSE(Lease().has_value());
  EXPECT_TRUE(store_->WriteLeases().ok());
  EXPECT_EQ(store_->FindSweep("s1")->units_running, 2);
  EXPECT_EQ(store_->QueuedUnits().value(), 0);
}

TEST_F(StoreSweeps, ALeaseIsOnDiskBeforeWhatFollowsIt) {
  const int64_t row = RunningSweep("s1", {"k1", "k2"});
  const LeasedUnit first = *Lease("a");
  EXPECT_EQ(store_->ListUnits(row, -1, 10)->front().state, UnitState::kPending);
  const LeasedUnit second = *Lease("b");
  EXPECT_TRUE(Commit(second, SmallResult(0.5)));
  const std::vector<UnitRecord> units = store_->ListUnits(row, -1, 10).value();
  EXPECT_EQ(units[0].state, UnitState::kLeased);
  EXPECT_EQ(units[0].worker, "a");
  EXPECT_EQ(units[1].state, UnitState::kDone);
  EXPECT_EQ(units[1].attempts, 1);
  EXPECT_TRUE(Commit(first, SmallResult(0.5)));
}

TEST_F(StoreSweeps, LeasesGivenDuringWritesAreAllDifferent) {
  std::vector<std::string> keys;
  for (int i = 0; i < 300; ++i) keys.push_back(absl::StrCat("k", i));
  RunningSweep("s1", keys);
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    while (!stop) ASSERT_TRUE(store_->WriteLeases().ok());
  });
  std::set<std::string> given;
  while (const std::optional<LeasedUnit> lease = Lease()) given.insert(lease->key);
  stop = true;
  writer.join();
  EXPECT_EQ(given.size(), keys.size());
  EXPECT_TRUE(store_->WriteLeases().ok());
  EXPECT_EQ(store_->FindSweep("s1")->units_running, 300);
}

TEST_F(StoreSweeps, AnOldTokenChangesNothing) {
  const int64_t row = RunningSweep("s1", {"k1"});
  const LeasedUnit lost = *Lease("a");
  EXPECT_EQ(store_->ReleaseLease("k1", lost.token, {.error = "lost"}, 0).value(),
            ReleaseOutcome::kPending);
  EXPECT_FALSE(Commit(lost, SmallResult(0)));  // nobody holds it
  const LeasedUnit held = *Lease("b");
  EXPECT_EQ(held.token, lost.token + 1);
  EXPECT_FALSE(Commit(lost, SmallResult(0)));
  EXPECT_EQ(store_->ReleaseLease("k1", lost.token, {}, 0).value(), ReleaseOutcome::kStale);
  EXPECT_TRUE(Commit(held, SmallResult(0.5)));
  EXPECT_FALSE(Commit(held, SmallResult(0)));  // sent twice
  const auto cells = store_->SummarizeCells(row, {0, 0, "agnostic"}).value();
  ASSERT_EQ(cells.size(), 2u);
  EXPECT_EQ(cells[1].f1, 0.5);
  EXPECT_EQ(cells[1].answers, 2);
}

TEST_F(StoreSweeps, SetsAPoisonousUnitAsideAndGoesOn) {
  const int64_t row = RunningSweep("s1", {"k1", "k2"});
  for (int attempt = 1; attempt <= 3; ++attempt) {
    const LeasedUnit lease = *Lease();
    EXPECT_EQ(lease.key, "k1");
    EXPECT_EQ(lease.attempt, attempt);
    EXPECT_EQ(store_->ReleaseLease("k1", lease.token, {.error = "out of memory"}, 0).value(),
              attempt < 3 ? ReleaseOutcome::kPending : ReleaseOutcome::kSetAside);
  }
  EXPECT_EQ(store_->FindSweep("s1")->state, SweepState::kRunning);
  ASSERT_TRUE(Commit(*Lease(), SmallResult(0.5)));
  const SweepRecord sweep = store_->FindSweep("s1").value();
  EXPECT_EQ(sweep.state, SweepState::kFailed);
  EXPECT_EQ(sweep.error,
            "1 of 2 units were set aside after failing; the first, k1 (agnostic, passages 1 to 1 "
            "of data set knowledge): out of memory");
  EXPECT_EQ(sweep.units_done, 1);
  EXPECT_EQ(sweep.units_failed, 1);
  EXPECT_EQ(store_->ListUnits(row, -1, 10)->front().error, "out of memory");
}

TEST_F(StoreSweeps, ReturningCostsNoAttemptAndBadInputIsNotRetried) {
  RunningSweep("s1", {"k1"});
  for (int i = 0; i < 5; ++i) {
    const LeasedUnit lease = *Lease();
    EXPECT_EQ(lease.attempt, 1);
    EXPECT_EQ(store_->ReleaseLease("k1", lease.token, {.costs_attempt = false}, 0).value(),
              ReleaseOutcome::kPending);
  }
  const LeasedUnit lease = *Lease();
  EXPECT_EQ(
      store_->ReleaseLease("k1", lease.token, {.error = "bad", .retryable = false}, 0).value(),
      ReleaseOutcome::kSetAside);
}

TEST_F(StoreSweeps, ReopeningGivesLeasesBackAndFencesTheirTokens) {
  for (const bool on_disk : {true, false}) {
    SCOPED_TRACE(on_disk ? "a lease on disk" : "a lease that did not get there");
    RunningSweep(absl::StrCat("s", on_disk), {absl::StrCat("k", on_disk)});
    const LeasedUnit before = *Lease();
    if (on_disk) {
      ASSERT_TRUE(store_->WriteLeases().ok());
    }
    Open();
    EXPECT_FALSE(Commit(before, SmallResult(0)));
    const LeasedUnit after = *Lease();
    EXPECT_EQ(after.attempt, 1);
    EXPECT_GT(after.token, before.token);
    EXPECT_FALSE(Commit(before, SmallResult(0)));
    EXPECT_TRUE(Commit(after, SmallResult(0)));
  }
}

TEST_F(StoreSweeps, EqualUnitsAreComputedOnceForAllSweeps) {
  RunningSweep("s1", {"k1", "k2"});
  ASSERT_TRUE(Commit(*Lease(), SmallResult(0.5)));
  RunningSweep("s2", {"k1", "k2", "k3"});
  EXPECT_EQ(store_->FindSweep("s2")->units_reused, 1);
  EXPECT_EQ(store_->FindSweep("s2")->units_done, 1);
  ASSERT_TRUE(Commit(*Lease(), SmallResult(0.5)));  // k2, for both
  EXPECT_EQ(store_->FindSweep("s1")->state, SweepState::kSucceeded);
  EXPECT_EQ(store_->FindSweep("s2")->units_done, 2);
  EXPECT_EQ(Lease()->key, "k3");
  RunningSweep("s3", {"k2", "k1"});
  EXPECT_EQ(store_->FindSweep("s3")->state, SweepState::kSucceeded);
  EXPECT_EQ(store_->FindSweep("s3")->streams_done, 8);
}

TEST_F(StoreSweeps, AUnitTwiceInOneSweepCountsTwice) {
  RunningSweep("s1", {"k1", "k1"});
  ASSERT_TRUE(Commit(*Lease(), SmallResult(0.5)));
  EXPECT_EQ(store_->FindSweep("s1")->units_done, 2);
  EXPECT_EQ(store_->FindSweep("s1")->state, SweepState::kSucceeded);
}

TEST_F(StoreSweeps, CancellingTakesLeasesBackUnlessAnotherSweepNeedsThem) {
  RunningSweep("s1", {"k1", "k2", "k3"});
  RunningSweep("s2", {"k2"});
  const LeasedUnit own = *Lease("a");
  const LeasedUnit shared = *Lease("b");
  const auto revoked = store_->CancelSweep("s1", "c1", 5000).value();
  ASSERT_EQ(revoked.size(), 1u);
  EXPECT_EQ(revoked[0].key, "k1");
  EXPECT_EQ(revoked[0].worker, "a");
  EXPECT_EQ(store_->FindSweep("s1")->state, SweepState::kCancelled);
  EXPECT_EQ(store_->FindSweep("s1")->end_time_ms, 5000);
  EXPECT_FALSE(Commit(own, SmallResult(0)));
  EXPECT_TRUE(Commit(shared, SmallResult(0)));
  EXPECT_FALSE(Lease().has_value());
  EXPECT_TRUE(store_->CancelSweep("s1", "c2", 6000)->empty());
  EXPECT_EQ(store_->FindSweep("s1")->end_time_ms, 5000);
}

TEST_F(StoreSweeps, ResumingKeepsWhatIsDoneAndTriesFailedUnitsAnew) {
  RunningSweep("s1", {"k1", "k2"});
  ASSERT_TRUE(Commit(*Lease(), SmallResult(0.5)));
  ASSERT_EQ(
      store_->ReleaseLease("k2", Lease()->token, {.error = "e", .retryable = false}, 0).value(),
      ReleaseOutcome::kSetAside);
  ASSERT_EQ(store_->FindSweep("s1")->state, SweepState::kFailed);
  ASSERT_TRUE(store_->ResumeSweep("s1", "r1").ok());
  ASSERT_EQ(store_->FindSweep("s1")->state, SweepState::kChecking);
  Plan("s1", {"k1", "k2"});
  EXPECT_EQ(store_->FindSweep("s1")->units_done, 1);
  EXPECT_EQ(store_->FindSweep("s1")->units_failed, 0);
  EXPECT_EQ(store_->FindSweep("s1")->units_reused, 0);
  const LeasedUnit again = *Lease();
  EXPECT_EQ(again.key, "k2");
  EXPECT_EQ(again.attempt, 1);
  ASSERT_TRUE(Commit(again, SmallResult(0.5)));
  EXPECT_EQ(store_->FindSweep("s1")->state, SweepState::kSucceeded);
}

TEST_F(StoreSweeps, MutationsWithAUsedRequestIdHaveNoEffect) {
  RunningSweep("s1", {"k1"});
  ASSERT_TRUE(store_->CancelSweep("s1", "r", 1).ok());
  ASSERT_TRUE(store_->ResumeSweep("s1", "r2").ok());
  ASSERT_TRUE(store_->CancelSweep("s1", "r", 2).ok());
  EXPECT_EQ(store_->FindSweep("s1")->state, SweepState::kChecking);
  EXPECT_EQ(store_->ResumeSweep("s1", "r").code(), absl::StatusCode::kAlreadyExists);
}

TEST_F(StoreSweeps, DeletingKeepsWhatOtherSweepsUse) {
  RunningSweep("s1", {"k1", "k2"});
  const int64_t second = RunningSweep("s2", {"k2"});
  EXPECT_EQ(store_->DeleteSweep("s1", "d").code(), absl::StatusCode::kFailedPrecondition);
  ASSERT_TRUE(Commit(*Lease(), SmallResult(0.5)));
  ASSERT_TRUE(Commit(*Lease(), SmallResult(0.5)));
  ASSERT_TRUE(store_->DeleteSweep("s1", "d").ok());
  EXPECT_TRUE(store_->DeleteSweep("s1", "d").ok());  // made before
  EXPECT_EQ(store_->DeleteSweep("s1", "d2").code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(store_->CollectableUnits().value(), 2);
  EXPECT_EQ(store_->CollectOrphans(100).value(), 2);
  EXPECT_EQ(store_->CollectOrphans(100).value(), 0);
  EXPECT_EQ(store_->CollectableUnits().value(), 0);
  EXPECT_THAT(*store_->DeletedUnits(100), testing::ElementsAre("k1"));
  RowCursor cursor;
  EXPECT_EQ(store_->ReadAnswers(second, 100, cursor)->size(), 4u);
  RunningSweep("s3", {"k1", "k2"});  // k1 is gone: to be computed again
  EXPECT_EQ(store_->FindSweep("s3")->units_reused, 1);
  EXPECT_TRUE(store_->DeletedUnits(100)->empty());  // k1 is wanted again
  EXPECT_EQ(Lease()->key, "k1");
}

TEST_F(StoreSweeps, DeletedUnitsAreToldUntilTheyAreForgotten) {
  RunningSweep("s1", {"k1", "k2", "k3"});
  ASSERT_TRUE(store_->CancelSweep("s1", "", 1).ok());
  ASSERT_TRUE(store_->DeleteSweep("s1", "d").ok());
  ASSERT_TRUE(store_->CollectOrphans(100).ok());
  EXPECT_THAT(*store_->DeletedUnits(2), testing::ElementsAre("k1", "k2"));
  ASSERT_TRUE(store_->ForgetDeletedUnits(std::vector<std::string>{"k1", "k2"}).ok());
  EXPECT_THAT(*store_->DeletedUnits(2), testing::ElementsAre("k3"));
}

TEST_F(StoreSweeps, ACancelledSweepCannotBePlanned) {
  const int64_t dataset = Dataset("data", 10);
  ASSERT_TRUE(store_->CreateSweep(Spec("s1", {dataset})).ok());
  ASSERT_TRUE(store_->BeginPlan("s1", "model", "cpu", "v1").ok());
  ASSERT_TRUE(store_->CancelSweep("s1", "", 1).ok());
  const std::vector<PlannedUnit> units = {{"k1", 0, "agnostic", 0, 1, 4}};
  EXPECT_EQ(store_->AddUnits("s1", 0, units).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(store_->FailCheck("s1", "late", 1).code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(StoreSweeps, QuotasAreOfEachOwner) {
  const int64_t dataset = Dataset("data", 2);
  const Quotas quotas = {.open_sweeps = 2, .open_cells = 10};
  const auto create = [&](const std::string& id, const std::string& owner, int64_t cells) {
    NewSweep sweep = Spec(id, {dataset});
    sweep.owner = owner;
    sweep.cells = cells;
    return store_->CreateSweep(sweep, quotas).status();
  };
  EXPECT_TRUE(create("s1", "ann", 6).ok());
  const absl::Status cells = create("s2", "ann", 5);
  EXPECT_EQ(cells.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(cells.message()),
              testing::HasSubstr("have 6, together they may have 10"));
  EXPECT_TRUE(create("s3", "ann", 4).ok());
  EXPECT_TRUE(create("s1", "ann", 6).ok());  // the same request again is no new sweep
  EXPECT_THAT(std::string(create("s4", "ann", 0).message()),
              testing::HasSubstr("2 of yours have not ended"));
  EXPECT_TRUE(create("s5", "bob", 10).ok());
  ASSERT_TRUE(store_->CancelSweep("s1", "", 1).ok());
  EXPECT_TRUE(create("s4", "ann", 6).ok());
  EXPECT_EQ(store_->FindSweep("s5")->owner, "bob");
}

TEST_F(StoreSweeps, TheQuotaOfDataCountsWhatIsNew) {
  const Quotas quotas = {.dataset_bytes = 100};
  const auto upload = [&](const std::string& owner, const std::string& digest, size_t bytes) {
    const int64_t id = store_->BeginDataset("data", owner).value();
    const std::vector<StoredPassage> rows = {{"p", 1, std::string(bytes, 'x')}};
    absl::Status status = store_->AddPassages(id, rows, quotas);
    if (status.ok()) status = store_->FinishDataset(id, digest, 5, quotas).status();
    if (!status.ok()) {
      EXPECT_TRUE(store_->DropDataset(id).ok());
    }
    return status;
  };
  EXPECT_TRUE(upload("ann", "d1", 60).ok());
  EXPECT_TRUE(upload("ann", "d1", 60).ok());  // is there already
  EXPECT_EQ(upload("ann", "d2", 50).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(upload("ann", "d3", 40).ok());
  EXPECT_TRUE(upload("bob", "d4", 100).ok());
  EXPECT_EQ(upload("cat", "d5", 101).code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(StoreSweeps, DataThatNoSweepUsesGoes) {
  const int64_t used = Dataset("used", 2);
  Dataset("unused", 2);
  ASSERT_TRUE(store_->CreateSweep(Spec("s1", {used})).ok());
  EXPECT_FALSE(store_->DropUnusedDataset(0).value());  // it was uploaded at 0, not before
  EXPECT_TRUE(store_->DropUnusedDataset(1).value());
  EXPECT_FALSE(store_->DropUnusedDataset(1).value());
  EXPECT_TRUE(store_->FindDataset("used").ok());
  EXPECT_EQ(store_->FindDataset("unused").status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace kvscope::orchestrator
