// Statement: one prepared SQL statement in use; the compiled form goes back to its Database's
// cache.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

struct sqlite3_stmt;

namespace kvscope::orchestrator {

class Database;

// Binds, steps and reads. An error of Prepare or Bind is kept and returned by the next Step, so
// that `db.Prepare(sql).Bind(a, b).Run()` needs one check. Not thread-safe, like its Database.
class Statement {
 public:
  // `prepared` is owned by `database`, or null with the reason in `error`.
  Statement(const Database* database, sqlite3_stmt* prepared, bool* in_use, absl::Status error);
  ~Statement();
  Statement(Statement&& other) noexcept;
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  // Binds ?1, ?2, ... A NaN is stored as NULL, as is an empty optional.
  template <typename... Values>
  Statement& Bind(const Values&... values) {
    int index = 0;
    (BindOne(++index, values), ...);
    return *this;
  }

  absl::StatusOr<bool> Step();  // true: a row stands ready
  absl::Status Run();           // steps to the end
  void Reset();                 // ready to be bound and stepped again

  // Columns of the row, from 0.
  bool IsNull(int column) const;
  int64_t Int(int column) const;
  double Real(int column) const;
  std::string Text(int column) const;  // TEXT or BLOB, byte for byte
  std::optional<double> OptionalReal(int column) const;
  std::vector<double> Reals(int column) const;  // as BindOne(span<const double>) wrote them
  std::vector<int32_t> Ints(int column) const;  // as BindOne(span<const int32_t>) wrote them

 private:
  void BindOne(int index, int64_t value);
  void BindOne(int index, int value) { BindOne(index, int64_t{value}); }
  void BindOne(int index, bool value) { BindOne(index, int64_t{value}); }
  void BindOne(int index, double value);
  void BindOne(int index, std::string_view value);
  void BindOne(int index, const std::string& value) { BindOne(index, std::string_view(value)); }
  void BindOne(int index, const char* value) { BindOne(index, std::string_view(value)); }
  void BindOne(int index, const std::optional<double>& value);
  void BindOne(int index, const std::vector<double>& values);   // little-endian float64 blob
  void BindOne(int index, const std::vector<int32_t>& values);  // little-endian int32 blob
  void BindBlob(int index, const void* data, size_t bytes);
  void Keep(int code);
  std::string_view Bytes(int column) const;

  const Database* database_;
  sqlite3_stmt* prepared_;
  bool* in_use_;
  absl::Status error_;
};

}  // namespace kvscope::orchestrator
