#include "services/metrics/probe/f1_score.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace kvscope::metrics {
namespace {

TEST(ScoreF1, ByHand) {
  // class 0: tp 2, fp 1, fn 1; class 1: tp 1, fp 1, fn 0; class 2: tp 0, fn 1; class 3: nowhere
  const std::vector<int> truth = {0, 0, 0, 1, 2}, predictions = {0, 0, 1, 1, 0};
  const F1Scores scores = ScoreF1(truth, predictions, 4, std::vector<int>(5), {.draws = 0});
  ASSERT_EQ(scores.classes.size(), 4u);
  EXPECT_DOUBLE_EQ(scores.classes[0]->value, 4.0 / 6);
  EXPECT_DOUBLE_EQ(scores.classes[1]->value, 2.0 / 3);
  EXPECT_EQ(scores.classes[2]->value, 0);
  EXPECT_FALSE(scores.classes[3].has_value());
  EXPECT_DOUBLE_EQ(scores.macro->value, (4.0 / 6 + 2.0 / 3 + 0) / 3);
  EXPECT_FALSE(scores.macro->low || scores.macro->high || scores.classes[0]->low);
}

TEST(ScoreF1, NothingGivesNothing) {
  const F1Scores scores = ScoreF1({}, {}, 2, {});
  EXPECT_FALSE(scores.macro.has_value());
  EXPECT_FALSE(scores.classes[0] || scores.classes[1]);
}

// Two passages, one all right, one all wrong: a sample has the first twice (1/4), both (1/2) or the
// second twice (1/4), so the middle 95 % reach from 0 to 1.
TEST(ScoreF1, DrawsWholePassages) {
  std::vector<int> truth, predictions, clusters;
  for (int row = 0; row < 400; ++row) {
    truth.push_back(row % 2);
    clusters.push_back(row < 200 ? 0 : 1);
    predictions.push_back(row < 200 ? row % 2 : 1 - row % 2);
  }
  const F1Scores scores = ScoreF1(truth, predictions, 2, clusters);
  EXPECT_DOUBLE_EQ(scores.macro->value, 0.5);
  EXPECT_EQ(scores.macro->low, 0);
  EXPECT_EQ(scores.macro->high, 1);
  // Drawn by row it would be about +- 0.05.
  std::vector<int> rows(400);
  for (int row = 0; row < 400; ++row) rows[row] = row;
  const F1Scores by_row = ScoreF1(truth, predictions, 2, rows);
  EXPECT_GT(*by_row.macro->low, 0.43);
  EXPECT_LT(*by_row.macro->high, 0.57);
}

TEST(ScoreF1, NoIntervalWhereItCannotBeTold) {
  const std::vector<int> truth = {0, 0, 0, 0, 1}, predictions = truth;
  const F1Scores one = ScoreF1(truth, predictions, 2, std::vector<int>(5));
  EXPECT_FALSE(one.macro->low.has_value());
  // Class 1 is in one passage of five: samples without it (33 %) do not count as 0.
  const F1Scores five = ScoreF1(truth, predictions, 2, std::vector<int>{0, 1, 2, 3, 4});
  EXPECT_EQ(five.classes[1]->low, 1);
  EXPECT_EQ(five.classes[1]->high, 1);
}

TEST(ScoreF1, SeedDecidesTheDraws) {
  std::mt19937_64 random(3);
  std::vector<int> truth, predictions, clusters;
  for (int row = 0; row < 300; ++row) {
    truth.push_back(static_cast<int>(random() % 3));
    predictions.push_back(random() % 2 ? truth.back() : static_cast<int>(random() % 3));
    clusters.push_back(row / 6);
  }
  const auto interval = [&](uint64_t seed) {
    return *ScoreF1(truth, predictions, 3, clusters, {.draws = 500, .seed = seed}).macro;
  };
  const ScoreInterval one = interval(1), again = interval(1), two = interval(2);
  EXPECT_EQ(one.low, again.low);
  EXPECT_EQ(one.high, again.high);
  EXPECT_NE(one.low, two.low);
  EXPECT_NEAR(*one.low, *two.low, 0.02);
  EXPECT_LT(*one.low, one.value);
  EXPECT_GT(*one.high, one.value);
  EXPECT_NEAR(*one.high - *one.low, 0.11, 0.03);  // 4 sqrt(0.67 0.33 / 300)
}

}  // namespace
}  // namespace kvscope::metrics
