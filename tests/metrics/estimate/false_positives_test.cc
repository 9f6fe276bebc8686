// How often tests find what is not there, and how often they find what is, in 2,000 simulated
// sweeps.
#include <gtest/gtest.h>

#include <cstdio>

#include "services/metrics/estimate/change_point.h"
#include "services/metrics/estimate/compare.h"
#include "tests/metrics/estimate/simulated_sweep.h"

namespace kvscope::metrics {
namespace {

constexpr int kSweeps = 2000;
constexpr double kMostFalse = 0.055;

ComparisonOptions Quick(int family) {
  ComparisonOptions options;
  options.bootstrap.draws = 100;
  options.draws = 999;
  options.family_size = family;
  return options;
}

double Report(const char* what, int found) {
  const double share = static_cast<double>(found) / kSweeps;
  std::printf("%-76s %5.2f %%\n", what, 100 * share);
  std::fflush(stdout);
  return share;
}

// Six presses that are no better than the random arm, and no worse.
TEST(FalsePositives, PairedTestsOfAFamily) {
  for (const SweepShape& shape :
       {SweepShape{10, 6, 6, 0.5}, SweepShape{30, 4, 16, 0.5}, SweepShape{80, 4, 16, 1.0},
        SweepShape{40, 4, 16, 0.5, ValueKind::kF1}}) {
    for (const double rate : {0.03, 0.3, 0.9}) {
      Random random(30);
      int one = 0, any = 0;
      for (int s = 0; s < kSweeps; ++s) {
        const SimulatedSweep sweep = Simulate(shape, std::vector<double>(7, rate), 0.6, random);
        std::vector<Comparison> family;
        for (int press = 1; press < 7; ++press) {
          family.push_back(*ComparePaired(sweep.ids(), sweep.arms[press], sweep.arms[0], Quick(6)));
        }
        if (family[0].significant()) ++one;
        CorrectFamily(family);
        bool found = false;
        for (const Comparison& comparison : family) found |= comparison.significant();
        if (found) ++any;
      }
      char what[96];
      std::snprintf(what, sizeof(what), "false positives: rate %.2f, %d passages x %d-%d, one test",
                    rate, shape.passages, shape.fewest, shape.most);
      EXPECT_LE(Report(what, one), kMostFalse);
      EXPECT_LE(Report("  any of six after Holm's correction", any), kMostFalse);
    }
  }
}

// A true difference of the size that a sweep calls detectable is found in four of five sweeps.
TEST(Power, OfTheMinimumDetectableDifference) {
  const SweepShape shape{60, 8, 8, 0.5};
  Random random(31);
  double detectable = 0;
  for (int s = 0; s < kSweeps; ++s) {
    const SimulatedSweep sweep = Simulate(shape, {0.5, 0.41}, 0.6, random);
    detectable +=
        *ComparePaired(sweep.ids(), sweep.arms[0], sweep.arms[1], Quick(1))->minimum_detectable /
        kSweeps;
  }
  std::printf("minimum detectable difference: %.4f\n", detectable);
  int found = 0;
  for (int s = 0; s < kSweeps; ++s) {
    const SimulatedSweep sweep = Simulate(shape, {0.5, 0.5 - detectable}, 0.6, random);
    if (ComparePaired(sweep.ids(), sweep.arms[0], sweep.arms[1], Quick(1))->significant()) ++found;
  }
  const double power = Report("power at the minimum detectable difference", found);
  EXPECT_GE(power, 0.77);
  EXPECT_LE(power, 0.83);
}

Curve SimulatedCurve(const SweepShape& shape, const std::vector<double>& ratios,
                     const std::vector<double>& rates, Random& random) {
  const SimulatedSweep sweep = Simulate(shape, rates, 0.7, random);
  std::vector<int32_t> passage;
  std::vector<double> ratio, value;
  for (size_t r = 0; r < ratios.size(); ++r) {
    passage.insert(passage.end(), sweep.passage.begin(), sweep.passage.end());
    ratio.insert(ratio.end(), sweep.passage.size(), ratios[r]);
    value.insert(value.end(), sweep.arms[r].begin(), sweep.arms[r].end());
  }
  return *MakeCurve({passage, shape.passages}, ratio, value);
}

const std::vector<double> kRatios = {0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9};

TEST(FalsePositives, ChangePointOfAStraightLine) {
  std::vector<double> line;
  for (const double r : kRatios) line.push_back(0.85 - 0.4 * r);
  for (const SweepShape& shape : {SweepShape{30, 4, 16, 0.5}, SweepShape{100, 8, 8, 0.5}}) {
    Random random(32);
    int bends = 0, steps = 0, cliffs = 0;
    for (int s = 0; s < kSweeps; ++s) {
      const Curve curve = SimulatedCurve(shape, kRatios, line, random);
      const ChangePoint bend =
          FindChangePoint(curve, Worse::kLower, ChangeShape::kBend, {.draws = 199});
      if (bend.p_value && *bend.p_value <= 0.05) ++bends;
      if (bend.is_cliff) ++cliffs;
      const Curve level =
          SimulatedCurve(shape, kRatios, std::vector<double>(kRatios.size(), 0.6), random);
      const ChangePoint step =
          FindChangePoint(level, Worse::kLower, ChangeShape::kStep, {.draws = 199});
      if (step.p_value && *step.p_value <= 0.05) ++steps;
    }
    char what[96];
    std::snprintf(what, sizeof(what), "a bend in a straight line, %d passages", shape.passages);
    EXPECT_LE(Report(what, bends), kMostFalse);
    EXPECT_LE(Report("  called a cliff", cliffs), kMostFalse);
    EXPECT_LE(Report("  a step in a level line", steps), kMostFalse);
  }
}

TEST(IntervalCoverage, PlaceOfABend) {
  std::vector<double> bent;
  for (const double r : kRatios) bent.push_back(0.9 - (r > 0.65 ? 2.4 * (r - 0.65) : 0));
  for (const SweepShape& shape : {SweepShape{30, 4, 16, 0.5}, SweepShape{100, 8, 8, 0.5}}) {
    Random random(33);
    int covered = 0, cliffs = 0;
    double width = 0;
    for (int s = 0; s < kSweeps; ++s) {
      const ChangePoint found = FindChangePoint(SimulatedCurve(shape, kRatios, bent, random),
                                                Worse::kLower, ChangeShape::kBend, {.draws = 499});
      if (found.place.low && *found.place.low <= 0.65 && *found.place.high >= 0.65) ++covered;
      width += (*found.place.high - *found.place.low) / kSweeps;
      if (found.is_cliff) ++cliffs;
    }
    std::printf("mean width %.3f: ", width);
    char what[96];
    std::snprintf(what, sizeof(what), "place of a bend at 0.65 covered, %d passages",
                  shape.passages);
    EXPECT_GE(Report(what, covered), 0.935);
    EXPECT_GE(Report("  called a cliff", cliffs), 0.99);
  }
}

}  // namespace
}  // namespace kvscope::metrics
