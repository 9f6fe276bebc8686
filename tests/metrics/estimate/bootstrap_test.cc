#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "services/metrics/estimate/bootstrap_ratio.h"
#include "services/metrics/estimate/bootstrap_statistic.h"
#include "services/metrics/estimate/distributions.h"
#include "services/metrics/estimate/random.h"

namespace kvscope::metrics {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Optional;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// `passages` passages of `each` answers.
std::vector<int32_t> EvenPassages(int passages, int each) {
  std::vector<int32_t> ids;
  for (int i = 0; i < passages * each; ++i) ids.push_back(i / each);
  return ids;
}

TEST(Random, IsTheSameOnEveryMachine) {
  Random random(7);
  EXPECT_EQ(random.Next(), 0x63CBE1E459320DD7u);
  EXPECT_EQ(random.Next(), 0x044C3CD7F43C661Cu);
  std::vector<int> seen(3);
  for (int i = 0; i < 3000; ++i) ++seen[random.Below(3)];
  for (const int count : seen) EXPECT_NEAR(count, 1000, 100);
}

TEST(Distributions, KnownQuantiles) {
  EXPECT_NEAR(NormalQuantile(0.975), 1.959963984540054, 1e-9);
  EXPECT_NEAR(NormalCdf(1.959963984540054), 0.975, 1e-12);
  EXPECT_NEAR(NormalTwoSided(-1.959963984540054), 0.05, 1e-12);
  EXPECT_NEAR(StudentQuantile(0.975, 1), 12.706204736432095, 1e-6);
  EXPECT_NEAR(StudentQuantile(0.975, 29), 2.045229642132703, 1e-7);
  EXPECT_NEAR(StudentQuantile(0.8, 99), 0.8452670319534972, 1e-7);
  EXPECT_NEAR(StudentQuantile(0.025, 29), -2.045229642132703, 1e-7);
  EXPECT_NEAR(StudentQuantile(0.975, 1e6), 1.95996635, 1e-6);
}

TEST(Distributions, SampleQuantileStaysInside) {
  const std::vector<double> sorted = {1, 2, 4};
  EXPECT_EQ(SortedQuantile(sorted, 0), 1);
  EXPECT_EQ(SortedQuantile(sorted, 1), 4);
  EXPECT_NEAR(SortedQuantile(sorted, 0.5), 2, 1e-12);
  EXPECT_NEAR(SortedQuantile(sorted, 0.625), 3, 1e-12);  // place 0.625 * 4 - 1 = 1.5
}

TEST(MeanEstimate, IsTheMeanOfTheAnswersNotOfThePassages) {
  const std::vector<int32_t> passage = {0, 0, 0, 1, 2};
  const std::vector<double> value = {1, 1, 0, 0, 0.5};
  const Estimate mean = *MeanEstimate({passage, 3}, value);
  EXPECT_THAT(mean.value, Optional(DoubleNear(0.5, 1e-12)));
  EXPECT_EQ(mean.passages, 3);
  EXPECT_THAT(mean.note, HasSubstr("3 passages"));
  EXPECT_LT(*mean.low, 0.5);
  EXPECT_GT(*mean.high, 0.5);
}

TEST(MeanEstimate, PassagesCountNotAnswers) {
  // 40 passages whose answers are all alike: ten answers each tell no more than one.
  std::vector<double> ten, one;
  Random random(3);
  for (int g = 0; g < 40; ++g) {
    one.push_back(random.Below(2));
    ten.insert(ten.end(), 10, one.back());
  }
  const Estimate of_ten = *MeanEstimate({EvenPassages(40, 10), 40}, ten);
  const Estimate of_one = *MeanEstimate({EvenPassages(40, 1), 40}, one);
  EXPECT_NEAR(*of_ten.low, *of_one.low, 1e-9);
  EXPECT_NEAR(*of_ten.high, *of_one.high, 1e-9);
}

TEST(MeanEstimate, OneSeedOneResult) {
  std::vector<double> values;
  Random random(3);
  for (int i = 0; i < 200; ++i) values.push_back(random.Below(5) / 4.0);
  const std::vector<int32_t> ids = EvenPassages(50, 4);
  const Estimate one = *MeanEstimate({ids, 50}, values, {.seed = 1});
  const Estimate again = *MeanEstimate({ids, 50}, values, {.seed = 1});
  const Estimate other = *MeanEstimate({ids, 50}, values, {.seed = 2});
  EXPECT_EQ(one.low, again.low);
  EXPECT_EQ(one.high, again.high);
  EXPECT_NE(one.low, other.low);
  EXPECT_NEAR(*one.low, *other.low, 0.01);
}

TEST(MeanEstimate, MoreConfidenceIsWider) {
  std::vector<double> values;
  Random random(5);
  for (int i = 0; i < 160; ++i) values.push_back(random.Below(2));
  const std::vector<int32_t> ids = EvenPassages(40, 4);
  const Estimate half = *MeanEstimate({ids, 40}, values, {.confidence = 0.5});
  const Estimate most = *MeanEstimate({ids, 40}, values, {.confidence = 0.99});
  EXPECT_LT(*most.low, *half.low);
  EXPECT_GT(*most.high, *half.high);
}

TEST(MeanEstimate, WithoutPassagesOrIntervalSaysSo) {
  const Estimate none = *MeanEstimate({{}, 0}, {});
  EXPECT_EQ(none.value, std::nullopt);
  EXPECT_EQ(none.note, "no answers");

  const std::vector<int32_t> same = {0, 0};
  const Estimate one = *MeanEstimate({same, 1}, std::vector<double>{0, 1});
  EXPECT_THAT(one.value, Optional(0.5));
  EXPECT_EQ(one.low, std::nullopt);
  EXPECT_EQ(one.note, "one passage: no interval");

  const std::vector<int32_t> two = {0, 1};
  const Estimate alike = *MeanEstimate({two, 2}, std::vector<double>{0.5, 0.5});
  EXPECT_EQ(alike.high, std::nullopt);
  EXPECT_THAT(alike.note, HasSubstr("no passage differs"));

  const Estimate nan = *MeanEstimate({two, 2}, std::vector<double>{kNan, kNan});
  EXPECT_EQ(nan.value, std::nullopt);
  EXPECT_THAT(nan.note, HasSubstr("2 answers without a value left out"));
}

TEST(MeanEstimate, NoFailureSeenIsNotNoFailure) {
  const std::vector<int32_t> ids = EvenPassages(50, 4);
  const Estimate none = *MeanEstimate({ids, 50}, std::vector<double>(200, 0.0));
  EXPECT_THAT(none.value, Optional(0.0));
  EXPECT_THAT(none.low, Optional(0.0));
  EXPECT_THAT(none.high, Optional(DoubleNear(1 - std::pow(0.025, 1.0 / 50), 1e-12)));
  const Estimate all = *MeanEstimate({ids, 50}, std::vector<double>(200, 1.0));
  EXPECT_THAT(all.low, Optional(DoubleNear(std::pow(0.025, 1.0 / 50), 1e-12)));
  EXPECT_THAT(all.high, Optional(1.0));
}

TEST(MeanEstimate, RefusesColumnsThatDoNotFit) {
  const std::vector<int32_t> ids = {0, 1};
  EXPECT_THAT(MeanEstimate({ids, 2}, std::vector<double>{1}).status().message(),
              HasSubstr("values: 1 values for 2 answers"));
  EXPECT_THAT(MeanEstimate({ids, 1}, std::vector<double>{1, 1}).status().message(),
              HasSubstr("passage: 1 is outside [0, 1)"));
  EXPECT_THAT(MeanEstimate({{}, -1}, {}).status().message(), HasSubstr("-1 is negative"));
}

TEST(MeanEstimate, ValuesThatCannotBeSummedAreLeftOut) {
  const std::vector<int32_t> ids = {0, 0, 1, 1, 2};
  const double infinite = std::numeric_limits<double>::infinity();
  const Estimate mean = *MeanEstimate({ids, 3}, std::vector<double>{infinite, 3, 1e300, -1, 4});
  EXPECT_THAT(mean.value, Optional(2.0));
  EXPECT_TRUE(std::isfinite(*mean.low) && std::isfinite(*mean.high));
  EXPECT_THAT(mean.note, HasSubstr("2 answers without a value left out"));
}

TEST(MeanEstimate, NoDrawsCountAsAHundred) {
  const std::vector<int32_t> ids = {0, 1, 2};
  const std::vector<double> values = {0, 1, 0.5};
  const Estimate none = *MeanEstimate({ids, 3}, values, {.draws = 0});
  const Estimate hundred = *MeanEstimate({ids, 3}, values, {.draws = 100});
  EXPECT_EQ(none.low, hundred.low);
  EXPECT_TRUE(none.low.has_value());
}

TEST(RatioEstimate, NeverNarrowerThanStudent) {
  std::vector<double> values;
  Random random(11);
  for (int g = 0; g < 20; ++g) values.push_back(random.Below(1000) - 500.0);
  const std::vector<int32_t> ids = EvenPassages(20, 1);
  const RatioSums sums = *SumByPassage({ids, 20}, values);
  double mean = 0, squares = 0;
  for (const double v : values) mean += v / 20;
  for (const double v : values) squares += (v - mean) * (v - mean);
  const double error = std::sqrt(squares / 19 / 20);  // the textbook's
  EXPECT_THAT(StandardError(sums), Optional(DoubleNear(error, 1e-9)));
  const Estimate estimate = RatioEstimate(sums);
  EXPECT_GE(*estimate.high - *estimate.value, StudentQuantile(0.975, 19) * error * (1 - 1e-9));
  EXPECT_LE(*estimate.high - *estimate.value, 1.2 * StudentQuantile(0.975, 19) * error);
}

TEST(EstimateStatistics, BcaOfAMeanIsNearStudents) {
  PassageSums sums(60, 2);
  Random random(2);
  double mean = 0, squares = 0;
  for (int g = 0; g < 60; ++g) {
    sums.row(g)[0] = random.Below(1000);
    sums.row(g)[1] = 1;
    mean += sums.row(g)[0] / 60;
  }
  for (int g = 0; g < 60; ++g) squares += std::pow(sums.row(g)[0] - mean, 2);
  const auto statistic = [](std::span<const double> totals, std::span<double> results) {
    results[0] = totals[0] / totals[1];
    results[1] = kNan;
  };
  const std::vector<Estimate> estimates = EstimateStatistics(sums, 2, statistic);
  const double reach = StudentQuantile(0.975, 59) * std::sqrt(squares / 59 / 60);
  EXPECT_NEAR(*estimates[0].low, mean - reach, 0.1 * reach);
  EXPECT_NEAR(*estimates[0].high, mean + reach, 0.1 * reach);
  EXPECT_THAT(estimates[0].note, IsEmpty());
  EXPECT_EQ(estimates[1].value, std::nullopt);
  EXPECT_EQ(estimates[1].note, "not defined on these answers");
}

TEST(EstimateStatistics, CountsDrawsThatAreNotDefined) {
  // Only one of five passages has a denominator: a draw lacks it with probability 0.8^5 = 0.33.
  PassageSums sums(5, 2);
  for (int g = 0; g < 5; ++g) sums.row(g)[0] = g + 1;
  sums.row(4)[1] = 1;
  const auto ratio = [](std::span<const double> totals, std::span<double> results) {
    results[0] = totals[1] > 0 ? totals[0] / totals[1] : kNan;
  };
  const std::vector<Estimate> estimates = EstimateStatistics(sums, 1, ratio);
  EXPECT_THAT(estimates[0].value, Optional(15.0));
  EXPECT_THAT(estimates[0].note, HasSubstr("of 2000 bootstrap draws, which are left out"));
  EXPECT_TRUE(std::isfinite(*estimates[0].low) && std::isfinite(*estimates[0].high));
}

TEST(EstimateStatistics, EmptyPassagesTakeNoPart) {
  PassageSums sums(10, 3);
  sums.row(3)[1] = 2;
  sums.row(7)[2] = 5;
  const PassageSums rest = sums.WithoutEmpty();
  EXPECT_EQ(rest.passages(), 2);
  EXPECT_THAT(rest.Totals(), ElementsAre(0, 2, 5));
  Random random(1);
  std::vector<double> totals(3);
  for (int draw = 0; draw < 50; ++draw) {  // of two passages: 2 + 2, 2 + 5 or 5 + 5
    rest.DrawTotals(random, totals);
    EXPECT_EQ(totals[0], 0);
    EXPECT_EQ(totals[1] / 2 + totals[2] / 5, 2);
  }
}

}  // namespace
}  // namespace kvscope::metrics
