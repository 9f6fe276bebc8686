#include "services/inference/ops/rotation_table.h"

#include <algorithm>
#include <cmath>

namespace kvscope::inference {

bool RotationTable::Prepare(std::span<const float> inv_freq, float scale, int32_t max_position) {
  if (!std::equal(inv_freq.begin(), inv_freq.end(), inv_freq_.begin(), inv_freq_.end()) ||
      scale != scale_) {
    inv_freq_.assign(inv_freq.begin(), inv_freq.end());
    scale_ = scale;
    positions_ = 0;
    table_.clear();
  }
  if (max_position < positions_) return false;
  const int64_t half = static_cast<int64_t>(inv_freq_.size());
  const int64_t first = positions_;
  positions_ = std::max<int64_t>(max_position + 1, positions_ + positions_ / 2);
  table_.resize(static_cast<size_t>(positions_ * half * 2));
#pragma omp parallel for schedule(static) if ((positions_ - first) * half > 4096)
  for (int64_t p = first; p < positions_; ++p) {
    float* row = table_.data() + p * half * 2;
    for (int64_t i = 0; i < half; ++i) {
      const float angle = static_cast<float>(p) * inv_freq_[static_cast<size_t>(i)];
      row[i] = std::cos(angle) * scale_;
      row[half + i] = std::sin(angle) * scale_;
    }
  }
  return true;
}

}  // namespace kvscope::inference
