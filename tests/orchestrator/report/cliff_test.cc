#include "services/orchestrator/report/cliff.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kvscope::orchestrator {
namespace {

using ::testing::Optional;

// Rows of one curve from (ratio, F1) pairs.
DegradationCurve Curve(const std::vector<std::pair<double, double>>& points) {
  std::vector<ReportRow> rows;
  for (const auto& [ratio, f1] : points) {
    rows.push_back({.dataset = "d", .regime = "r", .press = "p", .ratio = ratio, .f1 = f1});
  }
  return Curves(rows).at(0);
}

TEST(Curves, GroupsAndSorts) {
  const std::vector<DegradationCurve> curves =
      Curves({{.dataset = "b", .regime = "r", .press = "p", .ratio = 0.5},
              {.dataset = "a", .regime = "r", .press = "q", .ratio = 0.9},
              {.dataset = "a", .regime = "r", .press = "q", .ratio = 0.1, .f1 = 0.7},
              {.dataset = "a", .regime = "r", .press = "q", .ratio = 0.1, .f1 = 0.2}});
  ASSERT_EQ(curves.size(), 2u);
  EXPECT_EQ(curves[0].dataset, "a");
  ASSERT_EQ(curves[0].rows.size(), 2u);
  EXPECT_EQ(curves[0].rows[0].ratio, 0.1);
  EXPECT_EQ(curves[0].rows[0].f1, 0.7);  // the first of equal ratios
  EXPECT_EQ(curves[0].rows[1].ratio, 0.9);
  EXPECT_EQ(curves[1].dataset, "b");
}

TEST(FindCliff, IsTheSteepestStepNotTheLargest) {
  const DegradationCurve curve = Curve({{0, 0.9}, {0.5, 0.6}, {0.9, 0.5}, {0.95, 0.4}});
  const std::optional<Cliff> cliff = FindCliff(curve);
  ASSERT_TRUE(cliff);
  EXPECT_EQ(cliff->end, 3u);  // 0.1 over 0.05 beats 0.3 over 0.5
  EXPECT_NEAR(cliff->drop, 0.1, 1e-12);
}

TEST(FindCliff, NeedsMoreThanNoise) {
  EXPECT_FALSE(FindCliff(Curve({{0, 0.9}, {0.5, 0.86}, {0.55, 0.82}})));
  EXPECT_FALSE(FindCliff(Curve({{0, 0.2}, {0.5, 0.9}})));
  EXPECT_FALSE(FindCliff(Curve({{0, 0.9}})));
}

TEST(UnharmedUpTo, StopsAtTheFirstHarm) {
  EXPECT_THAT(UnharmedUpTo(Curve({{0, 0.9}, {0.3, 0.88}, {0.5, 0.8}, {0.7, 0.9}})), Optional(0.3));
  EXPECT_THAT(UnharmedUpTo(Curve({{0, 0.9}, {0.3, 0.95}})), Optional(0.3));
  EXPECT_THAT(UnharmedUpTo(Curve({{0, 0.9}, {0.3, 0.1}})), Optional(0.0));
  EXPECT_EQ(UnharmedUpTo(Curve({{0.1, 0.9}, {0.3, 0.9}})), std::nullopt);
}

}  // namespace
}  // namespace kvscope::orchestrator
