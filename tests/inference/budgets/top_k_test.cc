#include "services/inference/budgets/top_k.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <random>

namespace kvscope::inference {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(TopK, PicksTheHighestInOrderOfPosition) {
  EXPECT_THAT(TopK(std::vector<float>{0.5f, -1, 3, 0.25f, 2}, 3), ElementsAre(0, 2, 4));
}

TEST(TopK, GivesTiesToTheEarlierToken) {
  EXPECT_THAT(TopK(std::vector<float>{1, 2, 1, 2, 1}, 4), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(TopK(std::vector<float>{-0.0f, 0.0f, -0.0f}, 2), ElementsAre(0, 1));
}

TEST(TopK, OrdersExtremes) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> scores = {kNaN, -kInfinity, -1e-45f, 1e-45f, kInfinity, -kNaN};
  EXPECT_THAT(TopK(scores, 1), ElementsAre(4));
  EXPECT_THAT(TopK(scores, 2), ElementsAre(3, 4));
  EXPECT_THAT(TopK(scores, 3), ElementsAre(2, 3, 4));
  EXPECT_THAT(TopK(scores, 4), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(TopK(scores, 5), ElementsAre(0, 1, 2, 3, 4));
}

TEST(TopK, TakesNothingAndEverything) {
  EXPECT_THAT(TopK(std::vector<float>{2, 1}, 0), IsEmpty());
  EXPECT_THAT(TopK(std::vector<float>{2, 1}, 2), ElementsAre(0, 1));
  EXPECT_THAT(TopK({}, 0), IsEmpty());
}

TEST(TopKDeathTest, RefusesMoreThanThereAre) {
  EXPECT_DEATH(TopK(std::vector<float>{1}, 2), "kept");
}

TEST(TopK, AgreesWithAStableSort) {
  std::mt19937 generator(3);
  for (int round = 0; round < 300; ++round) {
    std::vector<float> scores(1 + generator() % 200);
    const int distinct = 1 + generator() % 40;  // few values: many ties
    for (float& score : scores) score = static_cast<int>(generator() % distinct) - distinct / 2;
    const int kept = generator() % (scores.size() + 1);

    std::vector<int32_t> order(scores.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](int32_t a, int32_t b) { return scores[a] > scores[b]; });
    order.resize(kept);
    std::sort(order.begin(), order.end());
    ASSERT_EQ(TopK(scores, kept), order) << scores.size() << " scores, " << kept << " kept";
  }
}

}  // namespace
}  // namespace kvscope::inference
