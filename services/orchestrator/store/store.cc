#include "services/orchestrator/store/store.h"

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/orchestrator/store/schema.h"
#include "services/orchestrator/store/unit_state.h"
#include "services/orchestrator/store/vector_sum.h"
#include "services/status_macros.h"

namespace kvscope::orchestrator {

Store::Store(std::unique_ptr<FileLock> lock, std::unique_ptr<Database> writer,
             std::unique_ptr<Database> reader, std::unique_ptr<Database> lease_reader,
             std::unique_ptr<Database> checkpoints)
    : lock_(std::move(lock)),
      writer_(std::move(writer)),
      reader_(std::move(reader)),
      lease_reader_(std::move(lease_reader)),
      checkpointer_(std::make_unique<Checkpointer>(std::move(checkpoints), *writer_)) {}

absl::StatusOr<std::unique_ptr<Store>> Store::Open(const std::string& path) {
  KVSCOPE_ASSIGN_OR_RETURN(std::unique_ptr<FileLock> lock,
                           FileLock::Acquire(path + ".lock", absl::StrCat("store ", path)));
  KVSCOPE_ASSIGN_OR_RETURN(std::unique_ptr<Database> writer, Database::Open(path));
  KVSCOPE_RETURN_IF_ERROR(Migrate(*writer));
  KVSCOPE_RETURN_IF_ERROR(RegisterVectorSum(*writer));
  KVSCOPE_ASSIGN_OR_RETURN(std::unique_ptr<Database> reader, Database::Open(path));
  KVSCOPE_RETURN_IF_ERROR(RegisterVectorSum(*reader));
  KVSCOPE_ASSIGN_OR_RETURN(std::unique_ptr<Database> lease_reader, Database::Open(path));
  KVSCOPE_ASSIGN_OR_RETURN(std::unique_ptr<Database> checkpoints, Database::Open(path));
  std::unique_ptr<Store> store(new Store(std::move(lock), std::move(writer), std::move(reader),
                                         std::move(lease_reader), std::move(checkpoints)));
  KVSCOPE_RETURN_IF_ERROR(store->Recover());
  return store;
}

absl::Status Store::Recover() {
  return Write([](Database& db) -> absl::Status {
    KVSCOPE_ASSIGN_OR_RETURN(const int64_t leased,
                             db.Number("SELECT count(*) FROM units WHERE state = 2"));
    KVSCOPE_ASSIGN_OR_RETURN(const int64_t uploads,
                             db.Number("SELECT count(*) FROM datasets WHERE digest IS NULL"));
    if (uploads > 0) KVSCOPE_RETURN_IF_ERROR(db.Run("DELETE FROM datasets WHERE digest IS NULL"));
    // A lease may have been given that did not reach the disk: its token is used up.
    KVSCOPE_RETURN_IF_ERROR(
        db.Run("UPDATE units SET token = token + 1 WHERE id IN (SELECT unit FROM queue)"));
    if (leased == 0) return absl::OkStatus();
    KVSCOPE_RETURN_IF_ERROR(
        db.Run("INSERT INTO queue SELECT su.sweep, su.seq, su.unit FROM sweep_units su"
               " JOIN units u ON u.id = su.unit JOIN sweeps s ON s.id = su.sweep"
               " WHERE u.state = 2 AND s.state = 2"));
    return db.Run("UPDATE units SET state = 1, attempts = max(attempts - 1, 0) WHERE state = 2");
  });
}

absl::Status Store::Write(const std::function<absl::Status(Database&)>& body) {
  absl::MutexLock lock(&write_mutex_);
  Database& db = *writer_;
  std::vector<LeaseNote> notes;
  {
    absl::MutexLock notes_lock(&notes_mutex_);
    notes = notes_;  // they stay until they are on disk: LeaseNext goes by them
  }
  const auto begin = std::chrono::steady_clock::now();
  const absl::Status status = db.InTransaction([&]() -> absl::Status {
    for (const LeaseNote& note : notes) {
      KVSCOPE_RETURN_IF_ERROR(RecordLease(db, note.unit, note.token, note.worker));
    }
    return body(db);
  });
  if (on_commit_) on_commit_(absl::FromChrono(std::chrono::steady_clock::now() - begin), status);
  if (status.ok() && !notes.empty()) {
    absl::MutexLock notes_lock(&notes_mutex_);
    notes_.erase(notes_.begin(), notes_.begin() + static_cast<ptrdiff_t>(notes.size()));
  }
  return status;
}

absl::Status Store::LimitPages(int64_t pages) {
  absl::MutexLock lock(&write_mutex_);
  const int64_t limit = pages == 0 ? int64_t{1} << 31 : pages;
  return writer_->Number(absl::StrCat("PRAGMA max_page_count = ", limit)).status();
}

}  // namespace kvscope::orchestrator
