// vector_sum, vector_sum_merge: SQL aggregates over blobs of float64, for per-layer means.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "services/orchestrator/store/database.h"

namespace kvscope::orchestrator {

// Registers on this connection
//   vector_sum(v): v [n] float64 with NaN where undefined → [2n]: n sums over the defined values,
//     then n counts of them;
//   vector_sum_merge(s): adds such results up, [2n] → [2n].
// Empty and NULL arguments are skipped; a length that differs from the first one's is skipped, too
// (one model has one number of layers). NULL if nothing was added.
absl::Status RegisterVectorSum(Database& database);

// [2n] of vector_sum → [n] means, NaN where the count is 0.
std::vector<double> MeansOfVectorSum(const std::vector<double>& sums_and_counts);

}  // namespace kvscope::orchestrator
