// The store's file: locks, versions, foreign files, full disks.
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>

#include "tests/orchestrator/store/store_fixture.h"

namespace kvscope::orchestrator {
namespace {

using ::testing::HasSubstr;

class StoreFile : public StoreTest {
 protected:
  void Sql(const std::string& script) {
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open(path_.c_str(), &db), SQLITE_OK);
    ASSERT_EQ(sqlite3_exec(db, script.c_str(), nullptr, nullptr, nullptr), SQLITE_OK);
    sqlite3_close(db);
  }
  absl::Status OpenStatus() { return Store::Open(path_).status(); }
};

TEST_F(StoreFile, SecondOpenerIsToldTheHoldersProcess) {
  const absl::Status status = OpenStatus();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr(absl::StrCat("process ", getpid())));
  store_.reset();
  EXPECT_TRUE(OpenStatus().ok());
}

TEST_F(StoreFile, KeepsItsContentsOverReopening) {
  const int64_t row = RunningSweep("s1", {"k1"});
  Open();
  EXPECT_EQ(store_->FindSweep("s1")->row, row);
  EXPECT_EQ(store_->FindSweep("name-s1")->state, SweepState::kRunning);
}

TEST_F(StoreFile, RefusesAStoreOfANewerProgram) {
  store_.reset();
  Sql("PRAGMA user_version = 7");
  const absl::Status status = OpenStatus();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("version is 7"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("up to 4"));
}

TEST_F(StoreFile, AStoreOfTheFirstVersionIsMigrated) {
  const int64_t row = RunningSweep("s1", {"k1", "k2"});
  ASSERT_TRUE(Commit(*Lease(), SmallResult(0.5)));
  store_.reset();
  Sql("ALTER TABLE sweep_units DROP COLUMN model_ordinal; ALTER TABLE answers DROP COLUMN routes;"
      "ALTER TABLE cell_sums DROP COLUMN agreement_layer;"
      "ALTER TABLE cell_sums DROP COLUMN ger_layer_values;"
      "ALTER TABLE cell_sums DROP COLUMN eviction_rate_layer;"
      "ALTER TABLE cell_sums DROP COLUMN evicted_share_layer; DROP TABLE deleted_units;"
      "ALTER TABLE sweeps DROP COLUMN owner; ALTER TABLE sweeps DROP COLUMN priority;"
      "ALTER TABLE sweeps DROP COLUMN cells; ALTER TABLE datasets DROP COLUMN owner;"
      "ALTER TABLE datasets DROP COLUMN bytes; ALTER TABLE datasets DROP COLUMN upload_time_ms;"
      "DROP INDEX sweep_datasets_by_dataset; PRAGMA user_version = 1");
  Open();
  EXPECT_EQ(store_->SummarizeCells(row, {0, 0, "agnostic"})->size(), 2u);
  EXPECT_EQ(store_->CountUnits(row, {0, 0, "agnostic"})->done, 1);
  const std::optional<LeasedUnit> second = Lease();
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ(second->model_ordinal, 0);
  EXPECT_TRUE(Commit(*second, SmallResult(0.5)));
  EXPECT_EQ(store_->FindSweep("s1")->state, SweepState::kSucceeded);

  // What its data sets weigh was counted.
  const int64_t upload = store_->BeginDataset("more").value();
  ASSERT_TRUE(store_->AddPassages(upload, std::vector<StoredPassage>{{"p", 1, "{}"}}).ok());
  const Quotas quotas = {.dataset_bytes = 3};
  EXPECT_EQ(store_->FinishDataset(upload, "more", 0, quotas).status().code(),
            absl::StatusCode::kResourceExhausted);
}

TEST_F(StoreFile, RefusesWhatIsNoDatabase) {
  store_.reset();
  std::ofstream(path_, std::ios::trunc) << std::string(5000, 'x');
  for (const char* suffix : {"-wal", "-shm"}) std::filesystem::remove(path_ + suffix);
  const absl::Status status = OpenStatus();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("not a KVScope store"));
}

TEST_F(StoreFile, RefusesAnotherProgramsDatabase) {
  store_.reset();
  std::filesystem::remove(path_);
  Sql("CREATE TABLE photos (name TEXT)");
  const absl::Status status = OpenStatus();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("another program"));
}

TEST_F(StoreFile, MissingFolderIsNotFound) {
  EXPECT_EQ(Store::Open((folder_ / "none" / "store.db").string()).status().code(),
            absl::StatusCode::kNotFound);
}

TEST_F(StoreFile, FullFileKeepsWhatIsRecordedAndGoesOnLater) {
  const int64_t row = RunningSweep("s1", {"k1", "k2"});
  ASSERT_TRUE(Commit(*Lease(), SmallResult(0.5)));
  const LeasedUnit second = *Lease();
  ASSERT_TRUE(store_->LimitPages(1).ok());  // SQLite keeps the pages there are, adds none
  const UnitResult large = SmallResult(0.5, std::string(200000, 'a'));
  const auto refused = store_->CommitResult(second.key, second.token, large, 3000);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted) << refused.status();
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("what is recorded is safe"));
  EXPECT_EQ(store_->FindSweep("s1")->units_done, 1);
  RowCursor cursor;
  EXPECT_EQ(store_->ReadAnswers(row, 100, cursor)->size(), 4u);

  ASSERT_TRUE(store_->LimitPages(0).ok());
  EXPECT_TRUE(Commit(second, large));
  EXPECT_EQ(store_->FindSweep("s1")->state, SweepState::kSucceeded);
}

// The system's own refusal, instead of SQLite's: files may not grow any further.
TEST_F(StoreFile, FullDiskKeepsWhatIsRecordedAndGoesOnLater) {
  RunningSweep("s1", {"k1", "k2"});
  ASSERT_TRUE(Commit(*Lease(), SmallResult(0.5)));
  const LeasedUnit second = *Lease();
  const UnitResult large = SmallResult(0.5, std::string(1000000, 'a'));

  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = signal(SIGXFSZ, SIG_IGN);
  const rlimit small{.rlim_cur = std::filesystem::file_size(path_ + "-wal") + 100000,
                     .rlim_max = before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto refused = store_->CommitResult(second.key, second.token, large, 3000);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  signal(SIGXFSZ, handler);

  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted) << refused.status();
  EXPECT_EQ(store_->FindSweep("s1")->units_done, 1);
  EXPECT_TRUE(Commit(second, large));
  Open();
  EXPECT_EQ(store_->FindSweep("s1")->state, SweepState::kSucceeded);
}

TEST_F(StoreFile, UnfinishedUploadsAreDropped) {
  const int64_t upload = store_->BeginDataset("half").value();
  ASSERT_TRUE(store_->AddPassages(upload, std::vector<StoredPassage>{{"p", 1, "{}"}}).ok());
  Open();
  EXPECT_TRUE(store_->ReadPassages(upload, 0, 10, 1000)->empty());
}

}  // namespace
}  // namespace kvscope::orchestrator
