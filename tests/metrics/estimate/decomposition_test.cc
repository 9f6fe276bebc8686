#include "services/metrics/estimate/decomposition.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace kvscope::metrics {
namespace {

using ::testing::DoubleNear;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Optional;
using ::testing::SizeIs;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr Failed kYes = Failed::kYes, kNo = Failed::kNo, kNone = Failed::kUnknown;

// Ten answers in five passages, by hand: of the eight with an outcome and a GER three are evicted,
// of which two fail, and five survive, of which two fail.
struct ByHand {
  std::vector<int32_t> passage = {0, 0, 1, 1, 2, 2, 3, 3, 4, 4};
  std::vector<Failed> failed = {kYes, kNo, kYes, kNo, kYes, kNo, kYes, kNo, kYes, kNone};
  std::vector<double> ger = {1, 1, 1, 0.5, 0.99, 0, 0, 0, kNan, 0};
  std::vector<double> consensus = {0.9, 0.5, 0.8, 0.5, 0.2, 0.5, 0.1, 0.5, 0.3, 0.5};
  std::vector<Failed> before = {kNo, kNo, kNo, kNo, kYes, kYes, kNo, kNone, kNo, kNo};

  FailureColumns columns() const { return {{passage, 5}, failed, ger, consensus, before}; }
};

TEST(Decompose, ByHand) {
  const ByHand data;
  const Decomposition result = *Decompose(data.columns());
  EXPECT_EQ(result.answers, 8);
  EXPECT_EQ(result.without_ger, 1);
  EXPECT_EQ(result.failures, 4);
  EXPECT_EQ(result.evicted, 3);
  EXPECT_EQ(result.evicted_failures, 2);
  EXPECT_THAT(result.failure_rate.value, Optional(DoubleNear(0.5, 1e-12)));
  EXPECT_THAT(result.evicted_rate.value, Optional(DoubleNear(0.375, 1e-12)));
  EXPECT_THAT(result.failure_given_evicted.value, Optional(DoubleNear(2.0 / 3, 1e-12)));
  EXPECT_THAT(result.failure_given_kept.value, Optional(DoubleNear(0.4, 1e-12)));
  EXPECT_THAT(result.erasure.value, Optional(DoubleNear(0.25, 1e-12)));
  EXPECT_THAT(result.rigidity.value, Optional(DoubleNear(0.25, 1e-12)));
  EXPECT_THAT(result.erasure_share.value, Optional(DoubleNear(0.5, 1e-12)));
  EXPECT_THAT(result.rigidity_share.value, Optional(DoubleNear(0.5, 1e-12)));
}

TEST(Decompose, FailuresWithoutCompressionAreNeither) {
  const ByHand data;
  const Decomposition result = *Decompose(data.columns());
  // Seven answers have an answer at ratio 0: two of them failed there, four fail now, three newly.
  EXPECT_EQ(result.paired, 7);
  EXPECT_EQ(result.new_failures, 3);
  EXPECT_THAT(result.uncompressed_failure_rate.value, Optional(DoubleNear(2.0 / 7, 1e-12)));
  EXPECT_THAT(result.excess_rate.value, Optional(DoubleNear(2.0 / 7, 1e-12)));
  EXPECT_THAT(result.new_failure_rate.value, Optional(DoubleNear(3.0 / 7, 1e-12)));
  EXPECT_THAT(result.new_erasure_share.value, Optional(DoubleNear(2.0 / 3, 1e-12)));
  EXPECT_THAT(result.new_rigidity_share.value, Optional(DoubleNear(1.0 / 3, 1e-12)));
}

TEST(Decompose, RigidityByConsensus) {
  const ByHand data;
  const Decomposition result = *Decompose(data.columns());
  // Failures by consensus: 0.1 rigid, 0.2 rigid, 0.8 erased, 0.9 erased.
  ASSERT_THAT(result.by_consensus.terciles, SizeIs(3));
  EXPECT_EQ(result.by_consensus.terciles[0].high, 0.1);
  EXPECT_THAT(result.by_consensus.terciles[0].rigidity_share.value, Optional(1.0));
  EXPECT_EQ(result.by_consensus.terciles[2].low, 0.8);
  EXPECT_EQ(result.by_consensus.terciles[2].failures, 2);
  EXPECT_THAT(result.by_consensus.terciles[2].rigidity_share.value, Optional(0.0));
  // x - 1/2 = -.4, -.3, .3, .4; y - 1/2 = .5, .5, -.5, -.5: slope -0.7 / 0.5.
  EXPECT_THAT(result.by_consensus.slope.value, Optional(DoubleNear(-1.4, 1e-12)));
}

TEST(Decompose, TheFormulaHoldsWithIntervalsAround) {
  std::vector<int32_t> passage;
  std::vector<Failed> failed;
  std::vector<double> ger;
  for (int i = 0; i < 400; ++i) {
    passage.push_back(i / 8);
    ger.push_back(i % 5 == 0 || i % 7 == 0 ? 1 : 0.25 * (i % 4));
    failed.push_back(i % 3 == 0 || (i % 10 == 0) ? kYes : kNo);
  }
  const Decomposition result = *Decompose({{passage, 50}, failed, ger, {}, {}});
  const double sum = *result.failure_given_evicted.value * *result.evicted_rate.value +
                     *result.failure_given_kept.value * (1 - *result.evicted_rate.value);
  EXPECT_NEAR(sum, *result.failure_rate.value, 1e-12);
  EXPECT_NEAR(*result.erasure.value + *result.rigidity.value, *result.failure_rate.value, 1e-12);
  EXPECT_NEAR(*result.erasure_share.value + *result.rigidity_share.value, 1, 1e-12);
  for (const Estimate* estimate : {&result.failure_rate, &result.erasure_share, &result.erasure,
                                   &result.failure_given_evicted, &result.rigidity_share}) {
    EXPECT_LT(*estimate->low, *estimate->value);
    EXPECT_GT(*estimate->high, *estimate->value);
    EXPECT_THAT(estimate->note, IsEmpty());
  }
  // The shares' intervals mirror each other.
  EXPECT_NEAR(*result.erasure_share.low, 1 - *result.rigidity_share.high, 0.01);
  EXPECT_EQ(result.excess_rate.note, "no answer at ratio 0 to compare with");
  EXPECT_EQ(result.new_erasure_share.note, "no answer at ratio 0 to compare with");
  EXPECT_EQ(result.by_consensus.slope.note, "no failure with a consensus");
}

TEST(Decompose, NotesInPlaceOfNumbers) {
  const Decomposition none = *Decompose({});
  EXPECT_EQ(none.failure_rate.note, "no answer with a GER");
  EXPECT_EQ(none.erasure_share.note, "no answer with a GER");
  const std::vector<int32_t> passage = {0, 1, 2};
  const std::vector<Failed> fine(3, kNo), bad(3, kYes);
  const std::vector<double> kept(3, 0), nan(3, kNan), same(3, 0.5);
  const Decomposition right = *Decompose({{passage, 3}, fine, kept, {}, fine});
  EXPECT_THAT(right.failure_rate.value, Optional(0.0));
  EXPECT_EQ(right.rigidity_share.note, "no failures");
  EXPECT_EQ(right.failure_given_evicted.note, "no answer is evicted everywhere");
  EXPECT_EQ(right.new_rigidity_share.note, "no new failures");
  const Decomposition no_ger = *Decompose({{passage, 3}, bad, nan, {}, {}});
  EXPECT_EQ(no_ger.without_ger, 3);
  EXPECT_EQ(no_ger.failure_rate.note, "no answer with a GER");
  const Decomposition rigid = *Decompose({{passage, 3}, bad, kept, same, {}});
  EXPECT_THAT(rigid.by_consensus.terciles, SizeIs(1));  // equal values stay together
  EXPECT_THAT(rigid.by_consensus.slope.note, HasSubstr("one consensus"));
  const std::vector<double> spread = {0.1, 0.2, 0.3};
  EXPECT_THAT(Decompose({{passage, 3}, bad, kept, spread, {}})->by_consensus.slope.note,
              HasSubstr("of one kind"));
}

TEST(Decompose, RefusesColumnsThatDoNotFit) {
  const std::vector<int32_t> passage = {0, 1};
  const std::vector<Failed> two(2, kNo), one(1, kNo);
  const std::vector<double> ger(2, 0);
  EXPECT_THAT(Decompose({{passage, 2}, one, ger, {}, {}}).status().message(), HasSubstr("failed"));
  EXPECT_THAT(Decompose({{passage, 2}, two, {}, {}, {}}).status().message(), HasSubstr("ger: 0"));
  EXPECT_THAT(Decompose({{passage, 2}, two, ger, std::vector<double>{1}, {}}).status().message(),
              HasSubstr("consensus"));
  EXPECT_THAT(Decompose({{passage, 2}, two, ger, {}, one}).status().message(),
              HasSubstr("failed_uncompressed"));
  EXPECT_FALSE(Decompose({{passage, 1}, two, ger, {}, {}}).ok());
}

}  // namespace
}  // namespace kvscope::metrics
