#include "services/inference/models/rope.h"

#include <cmath>
#include <numbers>

#include "gtest/gtest.h"

namespace kvscope::inference {
namespace {

TEST(MakeRope, DefaultAndLinear) {
  RopeConfig config;
  config.theta = 10000;
  const RopeParameters plain = MakeRope(config, 8);
  ASSERT_EQ(plain.inv_freq.size(), 4u);
  EXPECT_EQ(plain.scale, 1.0f);
  const float expected[] = {1.0f, 0.1f, 0.01f, 0.001f};
  for (size_t i = 0; i < 4; ++i) EXPECT_NEAR(plain.inv_freq[i], expected[i], 1e-7f * expected[i]);
  config.kind = "linear";
  config.factor = 4;
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_FLOAT_EQ(MakeRope(config, 8).inv_freq[i], plain.inv_freq[i] / 4);
  }
}

// Fast waves stay, waves longer than the training context are slowed by the factor, between them
// the blend grows with the wavelength.
TEST(MakeRope, Llama3SlowsOnlyLongWaves) {
  RopeConfig config;
  config.theta = 500000;
  const RopeParameters plain = MakeRope(config, 128);
  config.kind = "llama3";
  config.factor = 8;
  config.low_freq_factor = 1;
  config.high_freq_factor = 4;
  config.original_max_positions = 8192;
  const RopeParameters scaled = MakeRope(config, 128);
  float last = 1.0f;
  int kept = 0, slowed = 0;
  for (size_t i = 0; i < 64; ++i) {
    const float wavelength = 2 * std::numbers::pi_v<float> / plain.inv_freq[i];
    const float ratio = scaled.inv_freq[i] / plain.inv_freq[i];
    if (wavelength < 8192 / 4.0f) {
      EXPECT_EQ(ratio, 1.0f);
      ++kept;
    } else if (wavelength > 8192) {
      EXPECT_FLOAT_EQ(ratio, 1.0f / 8);
      ++slowed;
    } else {
      EXPECT_LT(ratio, last);
      EXPECT_GT(ratio, 1.0f / 8);
    }
    last = ratio;
  }
  EXPECT_GT(kept, 10);
  EXPECT_GT(slowed, 10);
}

}  // namespace
}  // namespace kvscope::inference
