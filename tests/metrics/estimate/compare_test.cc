#include "services/metrics/estimate/compare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "services/metrics/estimate/distributions.h"
#include "services/metrics/estimate/random.h"

namespace kvscope::metrics {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Optional;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

TEST(SignFlip, CountsPatternsByHand) {
  // 1 + 2 + 3 = 6 is reached by +++ and --- alone of eight patterns.
  EXPECT_THAT(SignFlipPValue(std::vector<double>{1, 2, 3}), Optional(0.25));
  // |1 - 2 + 3| = 2: all but +-(1 + 2 - 3) = 0.
  EXPECT_THAT(SignFlipPValue(std::vector<double>{1, -2, 3}), Optional(0.75));
  // Passages that do not differ say nothing.
  EXPECT_THAT(SignFlipPValue(std::vector<double>{1, 0, 2, 0, 3}), Optional(0.25));
  EXPECT_THAT(SignFlipPValue(std::vector<double>{0, 0}), Optional(1.0));
  EXPECT_EQ(SignFlipPValue(std::vector<double>{5}), std::nullopt);
}

TEST(SignFlip, SampledAndNormalAgreeWithEachOther) {
  Random random(4);
  std::vector<double> differences;
  for (int g = 0; g < 999; ++g) differences.push_back(static_cast<int>(random.Below(9)) - 3.8);
  const double sampled = *SignFlipPValue(differences, {.draws = 100000});
  differences.push_back(0.01);  // a thousand: by the normal limit
  const double normal = *SignFlipPValue(differences);
  EXPECT_GT(normal, 0.001);
  EXPECT_LT(normal, 0.5);
  EXPECT_NEAR(sampled, normal, 0.15 * normal);
}

TEST(SignFlip, IsNeverZeroAndGrowsDrawsWithTheFamily) {
  const std::vector<double> differences(40, 1.0);
  EXPECT_THAT(SignFlipPValue(differences, {.draws = 999}), Optional(DoubleNear(0.001, 1e-12)));
  EXPECT_THAT(SignFlipPValue(differences, {.draws = 999, .family_size = 100}),
              Optional(DoubleNear(1.0 / 20001, 1e-12)));
}

TEST(ComparePaired, PairsQuestionsAndCountsTheRest) {
  const std::vector<int32_t> passage = {0, 0, 1, 1, 2, 2, 3};
  const std::vector<double> a = {1, 1, 1, 0, 1, kNan, 1}, b = {0, 1, 0, 0, 0, 1, kNan};
  const Comparison comparison = *ComparePaired({passage, 4}, a, b);
  EXPECT_EQ(comparison.questions, 5);
  EXPECT_EQ(comparison.left_out, 2);
  EXPECT_EQ(comparison.difference.passages, 3);
  EXPECT_THAT(comparison.difference.value, Optional(DoubleNear(0.6, 1e-12)));
  EXPECT_THAT(comparison.p_value, Optional(0.25));  // sums 1, 1, 1: two of eight patterns
  EXPECT_FALSE(comparison.significant());
}

TEST(ComparePaired, MinimumDetectableIsTwoQuantilesOfError) {
  std::vector<double> a, b;
  std::vector<int32_t> passage;
  Random random(8);
  for (int g = 0; g < 50; ++g) {
    passage.push_back(g);
    a.push_back(random.Below(1000) / 1000.0);
    b.push_back(0);
  }
  double mean = 0, squares = 0;
  for (const double v : a) mean += v / 50;
  for (const double v : a) squares += (v - mean) * (v - mean);
  const double error = std::sqrt(squares / 49 / 50);
  std::vector<Comparison> family = {*ComparePaired({passage, 50}, a, b),
                                    *ComparePaired({passage, 50}, b, b)};
  EXPECT_THAT(family[0].minimum_detectable,
              Optional(DoubleNear((2.009575 + 0.849018) * error, 1e-5 * error)));
  EXPECT_TRUE(family[0].significant());
  EXPECT_FALSE(family[1].significant());
  EXPECT_THAT(family[1].p_value, Optional(1.0));
  EXPECT_EQ(family[1].minimum_detectable, std::nullopt);
  EXPECT_THAT(family[1].difference.note, HasSubstr("no passage differs"));
  CorrectFamily(family);
  EXPECT_THAT(family[0].minimum_detectable_family,
              Optional(DoubleNear(
                  (StudentQuantile(1 - 0.0125, 49) + StudentQuantile(0.8, 49)) * error, 1e-9)));
  EXPECT_THAT(family[0].adjusted_p_value, Optional(DoubleNear(2 * *family[0].p_value, 1e-12)));
}

TEST(ComparePaired, NothingInCommon) {
  const std::vector<int32_t> passage = {0, 1};
  const Comparison comparison =
      *ComparePaired({passage, 2}, std::vector<double>{1, kNan}, std::vector<double>{kNan, 1});
  EXPECT_EQ(comparison.difference.value, std::nullopt);
  EXPECT_EQ(comparison.difference.note, "no question that both answered");
  EXPECT_EQ(comparison.p_value, std::nullopt);
  EXPECT_FALSE(comparison.significant());
}

TEST(Holm, LeavesNullOutOfTheCount) {
  const std::vector<std::optional<double>> p = {0.02, std::nullopt, 0.01};
  EXPECT_THAT(Holm(p), ElementsAre(Optional(DoubleNear(0.02, 1e-12)), std::nullopt,
                                   Optional(DoubleNear(0.02, 1e-12))));
  EXPECT_THAT(Holm({}), ElementsAre());
}

}  // namespace
}  // namespace kvscope::metrics
