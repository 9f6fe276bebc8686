#include "services/metrics/estimate/passages.h"

#include "absl/strings/str_cat.h"
#include "services/status_macros.h"

namespace kvscope::metrics {
namespace {

template <typename Value>
RatioSums Sum(const Passages& passages, Value value) {
  RatioSums sums;
  sums.numerators.resize(passages.count);
  sums.denominators.resize(passages.count);
  for (size_t i = 0; i < passages.of_answer.size(); ++i) {
    const double v = value(i);
    if (!IsValue(v)) {
      ++sums.left_out;
      continue;
    }
    sums.numerators[passages.of_answer[i]] += v;
    sums.denominators[passages.of_answer[i]] += 1;
  }
  return sums;
}

}  // namespace

absl::Status CheckColumn(const Passages& passages, absl::string_view column, size_t size) {
  if (size != passages.of_answer.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat(column, ": ", size, " values for ", passages.of_answer.size(), " answers"));
  }
  if (passages.count < 0) {
    return absl::InvalidArgumentError(absl::StrCat("passages: ", passages.count, " is negative"));
  }
  for (const int32_t passage : passages.of_answer) {
    if (passage < 0 || passage >= passages.count) {
      return absl::InvalidArgumentError(
          absl::StrCat("passage: ", passage, " is outside [0, ", passages.count, ")"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<RatioSums> SumByPassage(const Passages& passages, std::span<const double> values) {
  KVSCOPE_RETURN_IF_ERROR(CheckColumn(passages, "values", values.size()));
  return Sum(passages, [&](size_t i) { return values[i]; });
}

absl::StatusOr<RatioSums> SumDifferenceByPassage(const Passages& passages,
                                                 std::span<const double> a,
                                                 std::span<const double> b) {
  KVSCOPE_RETURN_IF_ERROR(CheckColumn(passages, "a", a.size()));
  KVSCOPE_RETURN_IF_ERROR(CheckColumn(passages, "b", b.size()));
  return Sum(passages, [&](size_t i) { return a[i] - b[i]; });
}

}  // namespace kvscope::metrics
