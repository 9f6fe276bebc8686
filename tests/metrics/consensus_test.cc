#include "services/metrics/consensus/consensus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <climits>
#include <map>
#include <random>

namespace kvscope::metrics {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Optional;

ConsensusMetrics Measure(int steps, int layers, int q_heads, const std::vector<int32_t>& ids) {
  return MeasureConsensus({steps, layers, q_heads, ids}).value();
}

std::string Error(int steps, int layers, int q_heads, const std::vector<int32_t>& ids) {
  return std::string(MeasureConsensus({steps, layers, q_heads, ids}).status().message());
}

TEST(Consensus, CountsByHand) {
  const ConsensusMetrics metrics = Measure(1, 3, 4,
                                           {5, 5, 5, 5,  //
                                            1, 2, 3, 4,  //
                                            7, 9, 7, 2});
  EXPECT_THAT(metrics.consensus_layer, ElementsAre(Optional(0.25), Optional(1.0), Optional(0.75)));
  EXPECT_THAT(metrics.agreement_layer, ElementsAre(Optional(1.0), Optional(0.25), Optional(0.5)));
  EXPECT_THAT(metrics.consensus_mean, Optional(2.0 / 3));
  EXPECT_THAT(metrics.agreement_max, Optional(1.0));
}

TEST(Consensus, AHeadWithoutATokenStaysInTheDenominator) {
  const ConsensusMetrics metrics = Measure(1, 1, 4, {3, -1, 3, -1});
  EXPECT_THAT(metrics.consensus_layer, ElementsAre(Optional(0.25)));
  EXPECT_THAT(metrics.agreement_layer, ElementsAre(Optional(0.5)));
}

TEST(Consensus, ALayerWithoutATokenIsNullAndLeftOutOfTheMean) {
  const ConsensusMetrics metrics = Measure(1, 2, 2, {-1, -1, 0, 1});
  EXPECT_THAT(metrics.consensus_layer, ElementsAre(std::nullopt, Optional(1.0)));
  EXPECT_THAT(metrics.agreement_layer, ElementsAre(std::nullopt, Optional(0.5)));
  EXPECT_THAT(metrics.consensus_mean, Optional(1.0));
  EXPECT_THAT(metrics.agreement_max, Optional(0.5));

  const ConsensusMetrics none = Measure(1, 1, 2, {-1, -1});
  EXPECT_EQ(none.consensus_mean, std::nullopt);
  EXPECT_EQ(none.agreement_max, std::nullopt);
}

TEST(Consensus, AveragesOverSteps) {
  const ConsensusMetrics metrics = Measure(3, 2, 2,
                                           {0, 0, /**/ 1, 2,    //
                                            0, 1, /**/ -1, -1,  //
                                            -1, -1, /**/ -1, -1});
  EXPECT_THAT(metrics.consensus_layer, ElementsAre(Optional(0.75), Optional(1.0)));
  EXPECT_THAT(metrics.agreement_layer, ElementsAre(Optional(0.75), Optional(0.5)));
  EXPECT_THAT(metrics.consensus_mean, Optional((0.75 + 1.0) / 2));  // the last step has no value
  EXPECT_THAT(metrics.agreement_max, Optional((1.0 + 0.5) / 2));
}

TEST(Consensus, NoStepsMeanNoValues) {
  const ConsensusMetrics metrics = Measure(0, INT_MAX, INT_MAX, {});
  EXPECT_THAT(metrics.consensus_layer, IsEmpty());
  EXPECT_EQ(metrics.consensus_mean, std::nullopt);
  EXPECT_EQ(metrics.agreement_max, std::nullopt);
}

TEST(Consensus, RefusesWhatDoesNotFit) {
  EXPECT_THAT(Error(1, 1, 2, {1}), HasSubstr("does not match its 1 ids"));
  EXPECT_THAT(Error(2, 1, 2, {1, 2}), HasSubstr("does not match its 2 ids"));
  EXPECT_THAT(Error(0, 1, 2, {1, 2}), HasSubstr("does not match its 2 ids"));
  EXPECT_THAT(Error(1, 0, 2, {}), HasSubstr("empty step"));
  EXPECT_THAT(Error(-1, 1, 2, {}), HasSubstr("negative dimension"));
  EXPECT_THAT(Error(INT_MAX, INT_MAX, INT_MAX, {1}), HasSubstr("does not match its 1 ids"));
  EXPECT_THAT(Error(1, 1, 2, {1, -2}), HasSubstr("has the id -2"));
}

TEST(Consensus, EqualsTheDefinitionOnRandomTokens) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    const int q_heads = 1 + static_cast<int>(random() % 40);
    std::vector<int32_t> ids;
    std::map<int32_t, int> heads_of;
    for (int h = 0; h < q_heads; ++h) {
      ids.push_back(static_cast<int32_t>(random() % 12) - 1);
      if (ids.back() >= 0) ++heads_of[ids.back()];
    }
    int largest = 0;
    for (const auto& [token, heads] : heads_of) largest = std::max(largest, heads);
    const ConsensusMetrics metrics = Measure(1, 1, q_heads, ids);
    if (heads_of.empty()) {
      EXPECT_EQ(metrics.consensus_mean, std::nullopt);
      continue;
    }
    EXPECT_THAT(metrics.consensus_mean, Optional(static_cast<double>(heads_of.size()) / q_heads));
    EXPECT_THAT(metrics.agreement_max, Optional(static_cast<double>(largest) / q_heads));
  }
}

}  // namespace
}  // namespace kvscope::metrics
