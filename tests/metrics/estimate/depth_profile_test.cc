#include "services/metrics/estimate/depth_profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace kvscope::metrics {
namespace {

using ::testing::DoubleNear;
using ::testing::HasSubstr;
using ::testing::Optional;

using Layers = std::vector<std::optional<double>>;

TEST(DepthProfile, NamesTheFourShapes) {
  const DepthProfile early = ProfileDepth(Layers{0.2, 0.3, 0.4, 0.5, 0.6, 0.7});
  EXPECT_EQ(DepthShapeName(early.shape), "early consensus");
  EXPECT_THAT(early.early, Optional(DoubleNear(0.25, 1e-12)));
  EXPECT_THAT(early.middle, Optional(DoubleNear(0.45, 1e-12)));
  EXPECT_THAT(early.late, Optional(DoubleNear(0.65, 1e-12)));
  EXPECT_EQ(early.rule, "late - early = 0.400 >= 0.05 (early 0.250, middle 0.450, late 0.650)");
  EXPECT_EQ(DepthShapeName(ProfileDepth(Layers{0.7, 0.5, 0.2}).shape), "funnel");
  EXPECT_EQ(DepthShapeName(ProfileDepth(Layers{0.50, 0.52, 0.51}).shape), "flat");
  EXPECT_EQ(DepthShapeName(ProfileDepth(Layers{0.5, 0.9, 0.5}).shape), "uneven");
}

TEST(DepthProfile, TheThresholdBelongsToTheShape) {
  EXPECT_EQ(ProfileDepth(Layers{0.5, 0.5, 0.55}).shape, DepthShape::kEarlyConsensus);
  EXPECT_EQ(ProfileDepth(Layers{0.55, 0.5, 0.5}).shape, DepthShape::kFunnel);
  EXPECT_EQ(ProfileDepth(Layers{0.5, 0.5, 0.549}).shape, DepthShape::kFlat);
  EXPECT_EQ(ProfileDepth(Layers{0.5, 0.5, 0.55}, 0.1).shape, DepthShape::kFlat);
}

TEST(DepthProfile, LeavesLayersWithoutValueOut) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const DepthProfile holes = ProfileDepth(Layers{0.2, std::nullopt, 0.4, 0.4, nan, 0.6});
  EXPECT_EQ(holes.layers_without_value, 2);
  EXPECT_THAT(holes.difference, Optional(DoubleNear(0.4, 1e-12)));
  const DepthProfile none = ProfileDepth(Layers{std::nullopt, 0.5, 0.5});
  EXPECT_EQ(none.shape, DepthShape::kUndefined);
  EXPECT_THAT(none.rule, HasSubstr("no value"));
  EXPECT_EQ(ProfileDepth(Layers{0.1, 0.9}).rule, "2 layers: a shape needs at least 3");
  EXPECT_EQ(ProfileDepth({}).shape, DepthShape::kUndefined);
}

}  // namespace
}  // namespace kvscope::metrics
