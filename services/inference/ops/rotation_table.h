// RotationTable: what RoPE multiplies by, for every position met so far. Computing it costs more
// than the rotation.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace kvscope::inference {

class RotationTable {
 public:
  // Makes rows of positions up to `max_position`. cos and sin of the float32 product position ·
  // inv_freq[i], times `scale`. Returns whether the table is another than before.
  bool Prepare(std::span<const float> inv_freq, float scale, int32_t max_position);
  // [positions, 2, inv_freq.size()]: the cosines of a position, then its sines.
  std::span<const float> table() const { return table_; }
  const float* row(int32_t position) const {
    return table_.data() + static_cast<size_t>(position) * inv_freq_.size() * 2;
  }

 private:
  std::vector<float> inv_freq_;
  float scale_ = 1.0f;
  int64_t positions_ = 0;
  std::vector<float> table_;
};

}  // namespace kvscope::inference
