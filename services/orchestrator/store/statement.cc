#include "services/orchestrator/store/statement.h"

#include <sqlite3.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <utility>

#include "services/orchestrator/store/database.h"

namespace kvscope::orchestrator {

static_assert(std::endian::native == std::endian::little, "blobs of numbers are little-endian");

Statement::Statement(const Database* database, sqlite3_stmt* prepared, bool* in_use,
                     absl::Status error)
    : database_(database), prepared_(prepared), in_use_(in_use), error_(std::move(error)) {}

Statement::Statement(Statement&& other) noexcept
    : database_(other.database_),
      prepared_(std::exchange(other.prepared_, nullptr)),
      in_use_(std::exchange(other.in_use_, nullptr)),
      error_(std::move(other.error_)) {}

Statement::~Statement() {
  if (prepared_ == nullptr) return;
  sqlite3_reset(prepared_);
  sqlite3_clear_bindings(prepared_);  // frees the copies of what was bound
  *in_use_ = false;
}

absl::StatusOr<bool> Statement::Step() {
  if (!error_.ok()) return error_;
  const int code = sqlite3_step(prepared_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  Keep(code);
  return error_;
}

absl::Status Statement::Run() {
  while (true) {
    const absl::StatusOr<bool> row = Step();
    if (!row.ok()) return row.status();
    if (!*row) return absl::OkStatus();
  }
}

void Statement::Reset() {
  if (prepared_ != nullptr) sqlite3_reset(prepared_);
}

bool Statement::IsNull(int column) const {
  return sqlite3_column_type(prepared_, column) == SQLITE_NULL;
}
int64_t Statement::Int(int column) const { return sqlite3_column_int64(prepared_, column); }
double Statement::Real(int column) const { return sqlite3_column_double(prepared_, column); }
std::string Statement::Text(int column) const { return std::string(Bytes(column)); }

std::optional<double> Statement::OptionalReal(int column) const {
  if (IsNull(column)) return std::nullopt;
  return Real(column);
}

std::vector<double> Statement::Reals(int column) const {
  const std::string_view bytes = Bytes(column);
  std::vector<double> values(bytes.size() / sizeof(double));
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), values.size() * sizeof(double));
  return values;
}

std::vector<int32_t> Statement::Ints(int column) const {
  const std::string_view bytes = Bytes(column);
  std::vector<int32_t> values(bytes.size() / sizeof(int32_t));
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), values.size() * sizeof(int32_t));
  return values;
}

std::string_view Statement::Bytes(int column) const {
  const void* data = sqlite3_column_blob(prepared_, column);  // before _bytes, as SQLite asks
  const int size = sqlite3_column_bytes(prepared_, column);
  return data == nullptr ? std::string_view()
                         : std::string_view(static_cast<const char*>(data), size);
}

void Statement::BindOne(int index, int64_t value) {
  if (prepared_ != nullptr) Keep(sqlite3_bind_int64(prepared_, index, value));
}

void Statement::BindOne(int index, double value) {
  if (prepared_ != nullptr) Keep(sqlite3_bind_double(prepared_, index, value));
}

void Statement::BindOne(int index, std::string_view value) {
  if (prepared_ == nullptr) return;
  const char* data = value.data() == nullptr ? "" : value.data();  // null would bind NULL
  Keep(sqlite3_bind_text64(prepared_, index, data, value.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
}

void Statement::BindOne(int index, const std::optional<double>& value) {
  if (prepared_ == nullptr) return;
  Keep(value.has_value() ? sqlite3_bind_double(prepared_, index, *value)
                         : sqlite3_bind_null(prepared_, index));
}

void Statement::BindOne(int index, const std::vector<double>& values) {
  BindBlob(index, values.data(), values.size() * sizeof(double));
}

void Statement::BindOne(int index, const std::vector<int32_t>& values) {
  BindBlob(index, values.data(), values.size() * sizeof(int32_t));
}

void Statement::BindBlob(int index, const void* data, size_t bytes) {
  if (prepared_ == nullptr) return;
  Keep(bytes == 0 ? sqlite3_bind_zeroblob(prepared_, index, 0)
                  : sqlite3_bind_blob64(prepared_, index, data, bytes, SQLITE_TRANSIENT));
}

void Statement::Keep(int code) {
  if (code != SQLITE_OK && error_.ok()) error_ = database_->Error(code);
}

}  // namespace kvscope::orchestrator
