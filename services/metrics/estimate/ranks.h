// Ranks of values, ties shared.
#pragma once

#include <span>
#include <vector>

namespace kvscope::metrics {

// Average ranks from 1, as scipy.stats.rankdata.  No NaN.  O(n log n).
std::vector<double> MidRanks(std::span<const double> values);

}  // namespace kvscope::metrics
