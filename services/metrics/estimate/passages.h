// Answers to the questions of one passage are not independent: a passage is one cluster.
#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace kvscope::metrics {

// A number that sums may hold: not NaN, not infinite, and so far from overflow that its square is.
inline bool IsValue(double v) { return std::abs(v) <= 1e100; }

// Which passage each answer belongs to.  Owns nothing.
struct Passages {
  std::span<const int32_t> of_answer;  // [answers], each in [0, count)
  int32_t count = 0;
};

// Errors: InvalidArgument, naming `column`, unless it has one value an answer and every passage is
// in [0, count).
absl::Status CheckColumn(const Passages& passages, absl::string_view column, size_t size);

// One ratio's sums, by passage: the ratio is sum(numerators) / sum(denominators).
struct RatioSums {
  std::vector<double> numerators;    // [passages]
  std::vector<double> denominators;  // [passages], >= 0
  int64_t left_out = 0;              // answers without an IsValue
};

// The mean of `values`, as a ratio: sums and counts.  What is no IsValue is left out.
// Errors: as CheckColumn.  O(answers).
absl::StatusOr<RatioSums> SumByPassage(const Passages& passages, std::span<const double> values);

// The mean of a - b over the answers that have both.
absl::StatusOr<RatioSums> SumDifferenceByPassage(const Passages& passages,
                                                 std::span<const double> a,
                                                 std::span<const double> b);

}  // namespace kvscope::metrics
