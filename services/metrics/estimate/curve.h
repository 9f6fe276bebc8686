// One value (F1, hallucination) over the compression ratio, kept by passage: what the cliff, the
// susceptibility and their intervals are computed from.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "services/metrics/estimate/bootstrap_statistic.h"
#include "services/metrics/estimate/passages.h"

namespace kvscope::metrics {

struct Curve {
  std::vector<double> ratios;            // ascending, each once, and at least one value at each
  PassageSums sums = PassageSums(0, 0);  // [passages, ratios of sums, then ratios of counts]
  int64_t left_out = 0;                  // answers without an IsValue
  int32_t incomplete_passages = 0;       // that lack some ratio: cells are missing

  // [ratios] means of the answers.
  std::vector<double> Means() const;
};

// `ratio` and `value`: one an answer.  Ratios without any value do not appear.
// Errors: InvalidArgument as CheckColumn, a ratio outside [0, 1], or more than
// 1000 different ratios.  O(answers log answers).
absl::StatusOr<Curve> MakeCurve(const Passages& passages, std::span<const double> ratio,
                                std::span<const double> value);

// The means from totals as in `sums`; false (and no means) where a ratio has no answers.
bool CurveMeans(std::span<const double> totals, std::span<double> means);

// What a reader should mind about the curve's data; empty if nothing.
std::string CurveNote(const Curve& curve);

}  // namespace kvscope::metrics
