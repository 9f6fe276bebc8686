#include "services/metrics/estimate/ranks.h"

#include <algorithm>
#include <numeric>

namespace kvscope::metrics {

std::vector<double> MidRanks(std::span<const double> values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t i, size_t j) { return values[i] < values[j]; });
  std::vector<double> ranks(values.size());
  for (size_t begin = 0; begin < order.size();) {
    size_t end = begin;
    while (end < order.size() && values[order[end]] == values[order[begin]]) ++end;
    for (size_t k = begin; k < end; ++k) {
      ranks[order[k]] = (static_cast<double>(begin) + static_cast<double>(end) + 1) / 2;
    }
    begin = end;
  }
  return ranks;
}

}  // namespace kvscope::metrics
