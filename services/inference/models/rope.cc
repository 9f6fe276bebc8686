#include "services/inference/models/rope.h"

#include <cmath>
#include <numbers>

namespace kvscope::inference {
namespace {

// Waves longer than the training context are slowed by `factor`, those much shorter are kept.
float Llama3Frequency(const RopeConfig& config, float inv_freq) {
  const auto context = static_cast<float>(config.original_max_positions);
  const auto low = static_cast<float>(config.low_freq_factor);
  const auto high = static_cast<float>(config.high_freq_factor);
  const auto factor = static_cast<float>(config.factor);
  const float wavelength = 2.0f * std::numbers::pi_v<float> / inv_freq;
  if (wavelength < context / high) return inv_freq;
  if (wavelength > context / low) return inv_freq / factor;
  const float smooth = (context / wavelength - low) / (high - low);
  return (1.0f - smooth) * inv_freq / factor + smooth * inv_freq;
}

}  // namespace

RopeParameters MakeRope(const RopeConfig& config, int head_dim) {
  RopeParameters rope;
  for (int i = 0; i < head_dim; i += 2) {
    const float exponent = static_cast<float>(i) / static_cast<float>(head_dim);
    float inv_freq = 1.0f / std::pow(static_cast<float>(config.theta), exponent);
    if (config.kind == "linear") inv_freq /= static_cast<float>(config.factor);
    if (config.kind == "llama3") inv_freq = Llama3Frequency(config, inv_freq);
    rope.inv_freq.push_back(inv_freq);
  }
  return rope;
}

}  // namespace kvscope::inference
