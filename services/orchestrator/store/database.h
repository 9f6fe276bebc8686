// Database: one SQLite connection with the store's settings, and errors as absl::Status.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/orchestrator/store/statement.h"

struct sqlite3;

namespace kvscope::orchestrator {

// Not thread-safe: its user holds a mutex.
class Database {
 public:
  // Opens (creates if missing, with pages of 16 KiB) `path` with WAL, synchronous=FULL, foreign
  // keys and a busy timeout of 5 s. Errors: InvalidArgument (not a database), NotFound (folder
  // missing), ResourceExhausted (disk full, read-only), each one sentence with the path.
  static absl::StatusOr<std::unique_ptr<Database>> Open(const std::string& path);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // `sql` is ours: text that does not compile is a bug (CHECK). Two statements of equal text may
  // not be in use at once (CHECK).
  Statement Prepare(const std::string& sql);

  template <typename... Values>
  absl::Status Run(const std::string& sql, const Values&... values) {
    return Prepare(sql).Bind(values...).Run();
  }
  // Several statements, nothing bound, no rows.
  absl::Status Execute(const std::string& script);
  // The first column of the first row; 0 if there is none or it is NULL.
  template <typename... Values>
  absl::StatusOr<int64_t> Number(const std::string& sql, const Values&... values) {
    Statement statement = Prepare(sql);
    const absl::StatusOr<bool> row = statement.Bind(values...).Step();
    if (!row.ok()) return row.status();
    return *row ? statement.Int(0) : 0;
  }

  // Runs `body` between BEGIN IMMEDIATE (or EXCLUSIVE) and COMMIT; any error rolls all back.
  absl::Status InTransaction(const std::function<absl::Status()>& body, bool exclusive = false);

  int64_t changed_rows() const;  // by the last INSERT, UPDATE or DELETE
  int64_t last_row_id() const;
  const std::string& path() const { return path_; }
  sqlite3* handle() const { return handle_; }

  // What SQLite's result code means for the user. Running out of space in any form is
  // ResourceExhausted; damage is DataLoss.
  absl::Status Error(int code) const;

 private:
  struct Cached {
    sqlite3_stmt* prepared = nullptr;
    bool in_use = false;
  };
  Database(std::string path, sqlite3* handle) : path_(std::move(path)), handle_(handle) {}

  std::string path_;
  sqlite3* handle_;
  std::unordered_map<std::string, Cached> cache_;
};

}  // namespace kvscope::orchestrator
