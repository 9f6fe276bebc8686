#include "services/metrics/outcome/token_f1.h"

#include <algorithm>

namespace kvscope::metrics {
namespace {

// How many ids two ascending lists share, counted as multisets.
int64_t CountShared(const std::vector<int32_t>& a, const std::vector<int32_t>& b) {
  int64_t shared = 0;
  for (size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    if (a[i] < b[j]) {
      ++i;
    } else if (b[j] < a[i]) {
      ++j;
    } else {
      ++shared, ++i, ++j;
    }
  }
  return shared;
}

std::vector<int32_t> Sorted(std::span<const int32_t> ids) {
  std::vector<int32_t> sorted(ids.begin(), ids.end());
  std::sort(sorted.begin(), sorted.end());
  return sorted;
}

}  // namespace

double TokenF1(std::span<const int32_t> answer, std::span<const int32_t> gold) {
  if (answer.empty() || gold.empty()) return answer.empty() && gold.empty() ? 1.0 : 0.0;
  const int64_t shared = CountShared(Sorted(answer), Sorted(gold));
  if (shared == 0) return 0.0;
  const double precision = static_cast<double>(shared) / static_cast<double>(answer.size());
  const double recall = static_cast<double>(shared) / static_cast<double>(gold.size());
  return 2 * precision * recall / (precision + recall);
}

double BestTokenF1(std::span<const int32_t> answer, std::span<const int32_t> gold,
                   std::span<const std::vector<int32_t>> aliases) {
  double best = TokenF1(answer, gold);
  for (const std::vector<int32_t>& alias : aliases) best = std::max(best, TokenF1(answer, alias));
  return best;
}

}  // namespace kvscope::metrics
