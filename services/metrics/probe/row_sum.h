// Adds something up over all rows of a feature source, block by block and on all cores.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "services/metrics/probe/feature_source.h"

namespace kvscope::metrics {

// Some rows in memory.
struct RowBlock {
  int64_t first = 0;
  int64_t count = 0;
  const float* features = nullptr;         // [count, width]
  std::vector<double>* scratch = nullptr;  // of the thread: what it holds need not be freed
};

// Adds the block's share to `sums`. Called by several threads at once, each with sums of its own.
using AddBlock = std::function<void(const RowBlock& block, double* sums)>;

// Fills `totals` with the sums over all rows. The same to the bit whatever the number of threads:
// they are added in the order of the rows. Memory: a block (about 0.5 MiB) and totals' length of
// doubles, for each thread. Errors: those of `source`.
absl::Status SumOverRows(const FeatureSource& source, const AddBlock& add,
                         std::vector<double>* totals);

}  // namespace kvscope::metrics
