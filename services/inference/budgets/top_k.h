// TopK: the one place that ranks scores, and the one tie rule.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace kvscope::inference {

// Picks the `kept` highest of `scores`, as ascending indices. Ties go to the lower index, so every
// backend agrees; -0 ties with 0. A NaN (the model's activations overflowed) ranks below all
// numbers. CHECKs that `kept` is in [0, scores.size()].  O(scores.size()).
std::vector<int32_t> TopK(std::span<const float> scores, int kept);

}  // namespace kvscope::inference
