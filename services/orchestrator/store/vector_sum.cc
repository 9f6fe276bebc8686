#include "services/orchestrator/store/vector_sum.h"

#include <sqlite3.h>

#include <cmath>
#include <cstring>
#include <limits>

namespace kvscope::orchestrator {
namespace {

using Totals = std::vector<double>;  // sums, then counts

// SQLite gives zeroed memory for the aggregate's state: it holds a pointer to ours.
Totals** StateOf(sqlite3_context* context, bool create) {
  return static_cast<Totals**>(sqlite3_aggregate_context(context, create ? sizeof(Totals*) : 0));
}

std::vector<double> Argument(sqlite3_value* value) {
  const void* data = sqlite3_value_blob(value);
  std::vector<double> numbers(static_cast<size_t>(sqlite3_value_bytes(value)) / sizeof(double));
  if (!numbers.empty()) std::memcpy(numbers.data(), data, numbers.size() * sizeof(double));
  return numbers;
}

Totals* TotalsFor(sqlite3_context* context, size_t size) {
  Totals** state = StateOf(context, /*create=*/true);
  if (state == nullptr) {
    sqlite3_result_error_nomem(context);
    return nullptr;
  }
  if (*state == nullptr) *state = new Totals(size, 0.0);
  return (*state)->size() == size ? *state : nullptr;
}

void AddTotals(sqlite3_context* context, int, sqlite3_value** arguments) {
  const std::vector<double> values = Argument(arguments[0]);
  if (values.empty()) return;
  Totals* totals = TotalsFor(context, values.size());
  if (totals == nullptr) return;
  for (size_t i = 0; i < values.size(); ++i) (*totals)[i] += values[i];
}

void Finish(sqlite3_context* context) {
  Totals** state = StateOf(context, /*create=*/false);
  if (state == nullptr || *state == nullptr) return sqlite3_result_null(context);
  const Totals& totals = **state;
  sqlite3_result_blob64(context, totals.data(), totals.size() * sizeof(double), SQLITE_TRANSIENT);
  delete *state;
  *state = nullptr;
}

}  // namespace

void VectorSum::Add(const std::vector<double>& values) {
  if (totals_.empty()) totals_.assign(2 * values.size(), 0.0);
  if (totals_.size() != 2 * values.size()) return;
  for (size_t i = 0; i < values.size(); ++i) {
    if (std::isnan(values[i])) continue;
    totals_[i] += values[i];
    totals_[values.size() + i] += 1;
  }
}

absl::Status RegisterVectorSum(Database& database) {
  const int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC;
  const int code = sqlite3_create_function_v2(database.handle(), "vector_sum_merge", 1, flags,
                                              nullptr, nullptr, &AddTotals, &Finish, nullptr);
  return code == SQLITE_OK ? absl::OkStatus() : database.Error(code);
}

std::vector<double> MeansOfVectorSum(const std::vector<double>& sums_and_counts) {
  const size_t size = sums_and_counts.size() / 2;
  std::vector<double> means(size, std::numeric_limits<double>::quiet_NaN());
  for (size_t i = 0; i < size; ++i) {
    const double count = sums_and_counts[size + i];
    if (count > 0) means[i] = sums_and_counts[i] / count;
  }
  return means;
}

}  // namespace kvscope::orchestrator
