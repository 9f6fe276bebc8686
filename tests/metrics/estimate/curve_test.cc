// Susceptibility and change point over curves made by hand.
#include "services/metrics/estimate/curve.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "services/metrics/estimate/bootstrap_ratio.h"
#include "services/metrics/estimate/change_point.h"
#include "services/metrics/estimate/random.h"
#include "services/metrics/estimate/susceptibility.h"

namespace kvscope::metrics {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Optional;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
const std::vector<double> kRatios = {0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95};

// `each` answers of value 0 or 1 at every ratio; probability `rate` of the ratio.
Curve DrawnCurve(const std::function<double(double)>& rate, int passages, int each,
                 uint64_t seed = 1) {
  std::vector<int32_t> passage;
  std::vector<double> ratio, value;
  Random random(seed);
  for (int g = 0; g < passages; ++g) {
    for (int i = 0; i < each; ++i) {
      const double luck = random.Below(1000000) / 1e6;  // a question is as hard at every ratio
      for (const double r : kRatios) {
        passage.push_back(g);
        ratio.push_back(r);
        value.push_back(luck < rate(r) ? 1 : 0);
      }
    }
  }
  return MakeCurve({passage, passages}, ratio, value).value();
}

double Bend(double r) { return 0.9 - (r > 0.7 ? 3 * (r - 0.7) : 0); }
double Line(double r) { return 0.9 - 0.8 * r; }
double Step(double r) { return r > 0.85 ? 0.2 : 0.9; }
double Rise(double r) { return 1 / (1 + std::exp(-25 * (r - 0.85))); }

TEST(Curve, MeansAndWhatIsMissing) {
  const std::vector<int32_t> passage = {0, 0, 1, 1, 1};
  const std::vector<double> ratio = {0.5, 0, 0, 0.5, 0.9};
  const std::vector<double> value = {0.25, 1, 0, 0.75, kNan};
  const Curve curve = MakeCurve({passage, 3}, ratio, value).value();
  EXPECT_THAT(curve.ratios, ElementsAre(0, 0.5));
  EXPECT_THAT(curve.Means(), ElementsAre(0.5, 0.5));
  EXPECT_EQ(curve.left_out, 1);
  EXPECT_EQ(curve.incomplete_passages, 0);
  EXPECT_EQ(curve.sums.passages(), 2);
  EXPECT_EQ(CurveNote(curve), "1 answers without a value left out");

  const Curve holes = MakeCurve({passage, 3}, ratio, std::vector<double>{1, 1, 1, 1, 1}).value();
  EXPECT_EQ(holes.incomplete_passages, 1);
  EXPECT_EQ(CurveNote(holes), "1 of 2 passages lack some ratios");

  EXPECT_THAT(
      MakeCurve({passage, 3}, std::vector<double>{0, 0, 0, 0, 1.5}, value).status().message(),
      HasSubstr("ratio: 1.5 is outside [0, 1]"));
  EXPECT_FALSE(MakeCurve({passage, 3}, std::vector<double>{0, 0, 0, 0, kNan}, value).ok());
  std::vector<int32_t> many(1001, 0);
  std::vector<double> ratios, ones(1001, 1);
  for (int i = 0; i < 1001; ++i) ratios.push_back(i / 2000.0);
  EXPECT_THAT(MakeCurve({many, 1}, ratios, ones).status().message(), HasSubstr("at most 1000"));
}

TEST(Gradient, RefusesWhatHasNoSlope) {
  const std::vector<double> one = {0.5}, two = {0, 0.5}, back = {0.5, 0.5}, bad = {0, kNan};
  EXPECT_THAT(Gradient(one, one).status().message(), HasSubstr("a slope needs two"));
  EXPECT_THAT(Gradient(two, one).status().message(), HasSubstr("1 values for 2 ratios"));
  EXPECT_THAT(Gradient(back, two).status().message(), HasSubstr("do not ascend"));
  EXPECT_THAT(Gradient(two, bad).status().message(), HasSubstr("not finite"));
  EXPECT_FALSE(DifferencesAtMidpoints(one, one).ok());
}

TEST(Susceptibility, PeaksWhereHallucinationRises) {
  const Curve curve = DrawnCurve(Rise, 80, 10);
  const Susceptibility result = MeasureSusceptibility(curve);
  EXPECT_THAT(result.note, IsEmpty());
  EXPECT_THAT(*result.peak.value, ::testing::AnyOf(0.8, 0.9));
  EXPECT_LE(*result.peak.low, *result.peak.value);
  EXPECT_GE(*result.peak.high, *result.peak.value);
  EXPECT_GE(*result.peak.low, 0.7);
  EXPECT_GT(result.peak_share_of_draws, 0.4);
  ASSERT_EQ(result.chi.size(), kRatios.size());
  ASSERT_EQ(result.midpoint_chi.size(), kRatios.size() - 1);
  for (size_t i = 1; i < kRatios.size(); ++i) {
    const double slope = (Rise(kRatios[i]) - Rise(kRatios[i - 1])) / (kRatios[i] - kRatios[i - 1]);
    EXPECT_NEAR(*result.midpoint_chi[i - 1].value, slope, 1.0);
    if (!result.midpoint_chi[i - 1].low) continue;
    EXPECT_LE(*result.midpoint_chi[i - 1].low, *result.midpoint_chi[i - 1].value);
  }
}

// Where all passages have both ratios the slope is a paired difference over the step.
TEST(Susceptibility, SlopeOfTwoRatiosIsAPairedDifference) {
  std::vector<int32_t> passage, both;
  std::vector<double> low, high, ratio, value;
  Random random(9);
  for (int i = 0; i < 120; ++i) {
    passage.push_back(i / 4);
    low.push_back(random.Below(2));
    high.push_back(random.Below(3) > 0 ? 1 : 0);
  }
  for (const auto& [r, values] : {std::pair(0.5, low), {0.9, high}}) {
    both.insert(both.end(), passage.begin(), passage.end());
    ratio.insert(ratio.end(), 120, r);
    value.insert(value.end(), values.begin(), values.end());
  }
  const Susceptibility chi = MeasureSusceptibility(MakeCurve({both, 30}, ratio, value).value());
  const Estimate difference = RatioEstimate(*SumDifferenceByPassage({passage, 30}, high, low));
  ASSERT_EQ(chi.chi.size(), 2u);
  for (const Estimate& slope : {chi.chi[0], chi.chi[1], chi.midpoint_chi[0]}) {
    EXPECT_NEAR(*slope.value, *difference.value / 0.4, 1e-9);
    EXPECT_NEAR(*slope.low, *difference.low / 0.4, 1e-9);
    EXPECT_NEAR(*slope.high, *difference.high / 0.4, 1e-9);
  }
}

TEST(Susceptibility, IsotonicSmoothingNeverFalls) {
  const Curve curve = DrawnCurve([](double r) { return r < 0.3 ? 0.3 : r; }, 20, 2);
  const Susceptibility plain = MeasureSusceptibility(curve);
  const Susceptibility smooth = MeasureSusceptibility(curve, Smoothing::kIsotonic);
  EXPECT_EQ(smooth.smoothing, Smoothing::kIsotonic);
  for (const Estimate& slope : smooth.midpoint_chi) {
    EXPECT_GE(*slope.value, 0);
    EXPECT_GE(slope.low.value_or(0), 0);
  }
  EXPECT_EQ(plain.h, curve.Means());
}

TEST(Susceptibility, OneRatioIsANote) {
  const std::vector<int32_t> passage = {0, 1};
  const Curve curve =
      MakeCurve({passage, 2}, std::vector<double>{0.5, 0.5}, std::vector<double>{0, 1}).value();
  const Susceptibility result = MeasureSusceptibility(curve);
  EXPECT_EQ(result.note, "1 ratios: a slope needs two");
  EXPECT_THAT(result.h, ElementsAre(0.5));
  EXPECT_EQ(result.peak.value, std::nullopt);
  EXPECT_THAT(result.chi, IsEmpty());
  const Curve none = MakeCurve({{}, 0}, {}, {}).value();
  EXPECT_EQ(MeasureSusceptibility(none).note, "0 ratios: a slope needs two");
}

TEST(ChangePoint, FindsABend) {
  const ChangePoint found = FindChangePoint(DrawnCurve(Bend, 100, 8), Worse::kLower);
  EXPECT_NEAR(*found.place.value, 0.7, 0.06);
  EXPECT_LE(*found.place.low, 0.7);
  EXPECT_GE(*found.place.high, 0.7);
  EXPECT_LT(*found.place.high - *found.place.low, 0.2);
  EXPECT_TRUE(found.is_cliff) << found.verdict;
  EXPECT_LT(*found.p_value, 0.01);
  EXPECT_NEAR(*found.slope_before, 0, 0.1);
  EXPECT_NEAR(*found.slope_after, -3, 0.5);
  EXPECT_NEAR(*found.loss, 0.75, 0.1);
  EXPECT_THAT(found.verdict, HasSubstr("a cliff at 0."));
}

TEST(ChangePoint, HallucinationRisesWhereF1Falls) {
  const auto rising = [](double r) { return 1 - Bend(r); };
  const ChangePoint found = FindChangePoint(DrawnCurve(rising, 100, 8), Worse::kHigher);
  EXPECT_NEAR(*found.place.value, 0.7, 0.06);
  EXPECT_TRUE(found.is_cliff);
  EXPECT_GT(*found.slope_after, 2);
  EXPECT_NEAR(*found.loss, 0.75, 0.1);
}

TEST(ChangePoint, FindsAStep) {
  const ChangePoint found =
      FindChangePoint(DrawnCurve(Step, 60, 8), Worse::kLower, ChangeShape::kStep);
  EXPECT_THAT(found.place.value, Optional(DoubleNear(0.85, 1e-12)));
  EXPECT_TRUE(found.is_cliff);
  EXPECT_NEAR(*found.loss, 0.7, 0.05);
  EXPECT_NEAR(*found.value_at_place, 0.9, 0.05);
  EXPECT_EQ(found.slope_after, std::nullopt);
}

TEST(ChangePoint, AStraightLineAndNoiseAreNoCliff) {
  EXPECT_FALSE(FindChangePoint(DrawnCurve(Line, 60, 8), Worse::kLower).is_cliff);
  const Curve level = DrawnCurve([](double) { return 0.5; }, 60, 8);
  EXPECT_FALSE(FindChangePoint(level, Worse::kLower, ChangeShape::kStep).is_cliff);
}

TEST(ChangePoint, ImprovementIsNoCliff) {
  const auto better = [](double r) { return 0.1 + (r > 0.5 ? r - 0.5 : 0); };
  const ChangePoint found = FindChangePoint(DrawnCurve(better, 60, 8), Worse::kLower);
  EXPECT_FALSE(found.is_cliff);
  EXPECT_THAT(found.verdict, HasSubstr("no cliff"));
}

TEST(ChangePoint, NotesWithoutEnoughRatiosOrPassages) {
  const std::vector<int32_t> passage = {0, 0, 0, 1, 1, 1};
  const std::vector<double> ratio = {0, 0.5, 0.9, 0, 0.5, 0.9}, value = {1, 1, 0, 1, 0.5, 0};
  const ChangePoint few =
      FindChangePoint(MakeCurve({passage, 2}, ratio, value).value(), Worse::kLower);
  EXPECT_EQ(few.place.value, std::nullopt);
  EXPECT_EQ(few.place.note, "3 ratios: a change point needs at least 4");
  EXPECT_FALSE(few.is_cliff);

  const ChangePoint one = FindChangePoint(DrawnCurve(Bend, 1, 100), Worse::kLower);
  EXPECT_TRUE(one.place.value.has_value());
  EXPECT_EQ(one.place.low, std::nullopt);
  EXPECT_EQ(one.p_value, std::nullopt);
  EXPECT_EQ(one.place.note, "one passage: no interval");
  EXPECT_FALSE(one.is_cliff);

  const ChangePoint flat =
      FindChangePoint(DrawnCurve([](double) { return 1; }, 5, 2), Worse::kLower);
  EXPECT_EQ(flat.place.value, std::nullopt);
  EXPECT_EQ(flat.place.note, "the curve nowhere turns for the worse");
}

}  // namespace
}  // namespace kvscope::metrics
