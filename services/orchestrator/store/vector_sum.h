// Sums of per-layer lists: by value, and as the SQL aggregate vector_sum_merge over stored sums.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "services/orchestrator/store/database.h"

namespace kvscope::orchestrator {

// Adds lists [n] of float64, NaN where undefined. An empty list is skipped, and one whose length
// differs from the first one's, too (one model has one number of layers).
class VectorSum {
 public:
  void Add(const std::vector<double>& values);
  // [2n]: n sums over the defined values, then n counts of them; empty if nothing was added.
  const std::vector<double>& totals() const { return totals_; }

 private:
  std::vector<double> totals_;
};

// Registers vector_sum_merge(totals) on this connection: adds totals [2n] up, to a blob [2n]. Empty
// and NULL arguments are skipped, as are other lengths than the first. NULL if nothing was added.
absl::Status RegisterVectorSum(Database& database);

// [2n] totals → [n] means, NaN where the count is 0.
std::vector<double> MeansOfVectorSum(const std::vector<double>& sums_and_counts);

}  // namespace kvscope::orchestrator
