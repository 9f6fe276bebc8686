#include "services/orchestrator/store/database.h"

#include <sqlite3.h>

#include <cstdio>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "services/status_macros.h"

namespace kvscope::orchestrator {
namespace {

[[noreturn]] void Bug(const char* what, const std::string& sql, const char* detail) {
  std::fprintf(stderr, "store: %s: %s: %s\n", what, detail, sql.c_str());
  std::abort();
}

// SQLite loses the system's reason for a refused write (ENOSPC, EFBIG, EDQUOT, EROFS) on its way
// here, so that every refused write counts.
bool CannotWrite(int code) {
  const int primary = code & 0xff;
  return primary == SQLITE_FULL || primary == SQLITE_READONLY || code == SQLITE_IOERR_WRITE ||
         code == SQLITE_IOERR_FSYNC || code == SQLITE_IOERR_TRUNCATE ||
         code == SQLITE_IOERR_SHMSIZE;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Database>> Database::Open(const std::string& path) {
  sqlite3* handle = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  const int code = sqlite3_open_v2(path.c_str(), &handle, flags, nullptr);
  std::unique_ptr<Database> database(new Database(path, handle));
  if (code != SQLITE_OK) return database->Error(code);
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_timeout(handle, 5000);
  // The page size counts for a new file only. A row with its per-layer lists takes about 1 KiB: of
  // smaller pages it would need a page for itself.
  KVSCOPE_RETURN_IF_ERROR(
      database->Execute("PRAGMA page_size = 16384; PRAGMA journal_mode = WAL; PRAGMA synchronous = "
                        "FULL; PRAGMA foreign_keys = ON;"
                        "PRAGMA temp_store = FILE; PRAGMA cache_size = -16384;"));
  return database;
}

Database::~Database() {
  for (auto& [sql, cached] : cache_) sqlite3_finalize(cached.prepared);
  sqlite3_close(handle_);
}

Statement Database::Prepare(const std::string& sql) {
  Cached& cached = cache_[sql];
  if (cached.in_use) Bug("statement used twice at once", sql, "");
  if (cached.prepared == nullptr) {
    const int code = sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &cached.prepared, nullptr);
    if ((code & 0xff) == SQLITE_ERROR) Bug("bad SQL", sql, sqlite3_errmsg(handle_));
    if (code != SQLITE_OK) return Statement(this, nullptr, nullptr, Error(code));
  }
  cached.in_use = true;
  return Statement(this, cached.prepared, &cached.in_use, absl::OkStatus());
}

absl::Status Database::Execute(const std::string& script) {
  const int code = sqlite3_exec(handle_, script.c_str(), nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? absl::OkStatus() : Error(code);
}

absl::Status Database::InTransaction(const std::function<absl::Status()>& body, bool exclusive) {
  KVSCOPE_RETURN_IF_ERROR(Execute(exclusive ? "BEGIN EXCLUSIVE" : "BEGIN IMMEDIATE"));
  absl::Status status = body();
  if (status.ok()) status = Execute("COMMIT");
  // Some errors roll back by themselves, and ROLLBACK without a transaction is an error.
  if (!status.ok() && sqlite3_get_autocommit(handle_) == 0) Execute("ROLLBACK").IgnoreError();
  return status;
}

int64_t Database::changed_rows() const { return sqlite3_changes64(handle_); }
int64_t Database::last_row_id() const { return sqlite3_last_insert_rowid(handle_); }

absl::Status Database::Error(int code) const {
  const char* detail = handle_ == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(handle_);
  if (CannotWrite(code)) {
    return absl::ResourceExhaustedError(
        absl::StrCat("store ", path_, " cannot be written (", detail,
                     "): free space or make it writable; what is recorded is safe"));
  }
  switch (code & 0xff) {
    case SQLITE_NOTADB:
      return absl::InvalidArgumentError(
          absl::StrCat(path_, " is not a KVScope store: it is no SQLite database"));
    case SQLITE_CORRUPT:
      return absl::DataLossError(absl::StrCat("store ", path_, " is damaged: ", detail));
    case SQLITE_CANTOPEN:
      return absl::NotFoundError(absl::StrCat("store ", path_, " cannot be opened: ", detail));
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return absl::UnavailableError(
          absl::StrCat("store ", path_, " is held by another program: ", detail));
    default:
      return absl::InternalError(
          absl::StrCat("store ", path_, ": ", detail, " (SQLite code ", code, ")"));
  }
}

}  // namespace kvscope::orchestrator
