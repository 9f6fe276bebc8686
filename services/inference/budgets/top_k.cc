#include "services/inference/budgets/top_k.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>
#include <functional>

namespace kvscope::inference {
namespace {

// Unsigned numbers in the order of the floats: the sign bit flipped for positive ones, all bits
// for negative ones.
uint32_t RankedBits(float score) {
  if (std::isnan(score)) return 0;
  const uint32_t bits = std::bit_cast<uint32_t>(score + 0.0f);  // -0 + 0 = 0
  return bits >> 31 ? ~bits : bits | 0x80000000u;
}

}  // namespace

std::vector<int32_t> TopK(std::span<const float> scores, int kept) {
  assert(0 <= kept && static_cast<size_t>(kept) <= scores.size());
  // Score above, complement of the index below: all keys differ, and the lower index is the larger.
  std::vector<uint64_t> keys(scores.size());
  for (size_t i = 0; i < scores.size(); ++i) {
    keys[i] = uint64_t{RankedBits(scores[i])} << 32 | ~static_cast<uint32_t>(i);
  }
  std::nth_element(keys.begin(), keys.begin() + kept, keys.end(), std::greater<>());
  std::vector<int32_t> indices(kept);
  std::transform(keys.begin(), keys.begin() + kept, indices.begin(),
                 [](uint64_t key) { return static_cast<int32_t>(~static_cast<uint32_t>(key)); });
  std::sort(indices.begin(), indices.end());
  return indices;
}

}  // namespace kvscope::inference
