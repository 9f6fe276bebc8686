#include "services/metrics/probe/lbfgs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "absl/status/status.h"

namespace kvscope::metrics {
namespace {

using ::testing::DoubleNear;
using ::testing::Each;
using ::testing::ElementsAre;

// sum of scale[i] / 2 (x[i] - i)^2
Objective Bowl(std::vector<double> scale) {
  return [scale](const std::vector<double>& x, std::vector<double>* gradient) {
    double value = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      const double off = x[i] - static_cast<double>(i);
      value += scale[i] / 2 * off * off;
      (*gradient)[i] = scale[i] * off;
    }
    return value;
  };
}

TEST(Lbfgs, FindsTheBottomOfABowl) {
  const LbfgsResult best = MinimizeLbfgs(Bowl({1, 3, 0.5}), {9, -4, 70}).value();
  EXPECT_TRUE(best.converged);
  EXPECT_LE(best.gradient_max, 1e-6);
  EXPECT_THAT(best.x, ElementsAre(DoubleNear(0, 1e-5), DoubleNear(1, 1e-5), DoubleNear(2, 1e-5)));
}

TEST(Lbfgs, FindsTheBottomOfALongNarrowBowl) {
  std::vector<double> scale;
  for (int i = 0; i < 200; ++i) scale.push_back(std::pow(10.0, -2 + 4 * i / 199.0));
  const LbfgsResult best =
      MinimizeLbfgs(Bowl(scale), std::vector<double>(200), {.gradient_tolerance = 1e-9}).value();
  EXPECT_TRUE(best.converged);
  for (int i = 0; i < 200; ++i) EXPECT_NEAR(best.x[i], i, 1e-5);
}

TEST(Lbfgs, WorksWhereValuesDifferByRoundingOnly) {
  const Objective bowl = Bowl({1, 3, 0.5});
  const auto high_up = [&](const std::vector<double>& x, std::vector<double>* gradient) {
    return *bowl(x, gradient) + 1e6;  // steps below 1e-5 do not change the value
  };
  const LbfgsResult best =
      MinimizeLbfgs(high_up, {9, -4, 70}, {.gradient_tolerance = 1e-12}).value();
  EXPECT_TRUE(best.converged) << best.gradient_max;
}

TEST(Lbfgs, ConvexButFarFromABowl) {  // log(e^x + e^-x) is flat but near 0
  const auto valley = [](const std::vector<double>& x, std::vector<double>* gradient) {
    (*gradient)[0] = std::tanh(x[0]);
    return std::abs(x[0]) + std::log1p(std::exp(-2 * std::abs(x[0])));
  };
  for (const double start : {1e-3, 3.0, -500.0}) {
    const LbfgsResult best = MinimizeLbfgs(valley, {start}).value();
    EXPECT_TRUE(best.converged) << start;
    EXPECT_NEAR(best.x[0], 0, 1e-6);
  }
}

TEST(Lbfgs, StaysWhereItIsBest) {
  const LbfgsResult best = MinimizeLbfgs(Bowl({1, 1}), {0, 1}).value();
  EXPECT_TRUE(best.converged);
  EXPECT_EQ(best.evaluations, 1);
  EXPECT_THAT(best.x, ElementsAre(0, 1));
  EXPECT_TRUE(MinimizeLbfgs(Bowl({}), {}).value().converged);
}

TEST(Lbfgs, StopsAtItsLimit) {
  const LbfgsResult best =
      MinimizeLbfgs(Bowl({1, 1e4, 1e-4}), {9, -4, 70}, {.max_evaluations = 5}).value();
  EXPECT_FALSE(best.converged);
  EXPECT_LE(best.evaluations, 5);
  EXPECT_LT(best.value, 13000);  // lower than at the start
}

TEST(Lbfgs, EndsWhereTheFunctionIsNotANumber) {
  const auto broken = [](const std::vector<double>&, std::vector<double>* gradient) {
    gradient->assign(2, std::nan(""));
    return std::nan("");
  };
  EXPECT_FALSE(MinimizeLbfgs(broken, {1, 2}).value().converged);
  const auto cliff = [](const std::vector<double>& x, std::vector<double>* gradient) {
    (*gradient)[0] = x[0] < 1 ? -1 : std::nan("");  // falls, then is not a number
    return x[0] < 1 ? -x[0] : std::nan("");
  };
  const LbfgsResult best = MinimizeLbfgs(cliff, {0}).value();
  EXPECT_FALSE(best.converged);
  EXPECT_THAT(best.x, Each(DoubleNear(0.5, 0.5)));
}

TEST(Lbfgs, HandsOnErrors) {
  int calls = 0;
  const auto failing = [&](const std::vector<double>& x,
                           std::vector<double>* gradient) -> absl::StatusOr<double> {
    if (++calls == 3) return absl::UnavailableError("disk");
    return Bowl({1, 1e4})(x, gradient);
  };
  EXPECT_EQ(MinimizeLbfgs(failing, {5, 5}).status(), absl::UnavailableError("disk"));
  EXPECT_EQ(calls, 3);
}

}  // namespace
}  // namespace kvscope::metrics
