#include "services/metrics/answer_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/metrics/packed_bits.h"

namespace kvscope::metrics {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Optional;

// Two layers, one KV head (two query heads), four context tokens.
class AnswerMetricsTest : public ::testing::Test {
 protected:
  AnswerMetricsTest()
      : bytes_(PackRows({"1100", "0110"})), cell_(KeepBits::Make(2, 1, 4, bytes_).value()) {
    input_.answer_span = span_;
    input_.prompt_top = {1, 2, 2, prompt_};
    input_.generated_top = {2, 2, 2, generated_};
    input_.answer = "Paris, France";
    input_.gold = "Paris";
    input_.aliases = aliases_;
    input_.answer_ids = answer_ids_;
    input_.gold_ids = gold_ids_;
    input_.alias_ids = alias_ids_;
  }

  std::string Error() const { return std::string(MeasureAnswer(cell_, input_).status().message()); }

  const std::vector<int32_t> span_ = {0, 3};
  const std::vector<int32_t> prompt_ = {0, 1, 2, 2};
  const std::vector<int32_t> generated_ = {0, 0, 1, 1, 0, 1, 1, 2};
  const std::vector<std::string> aliases_ = {"paris france", "City of Light"};
  const std::vector<int32_t> answer_ids_ = {10, 11, 12}, gold_ids_ = {10};
  const std::vector<std::vector<int32_t>> alias_ids_ = {{10, 12}, {20}};
  const std::vector<uint8_t> bytes_;
  const CellSurvival cell_;
  AnswerInput input_;
};

TEST_F(AnswerMetricsTest, AGoldThatAbstainsHasNoSpan) {
  EXPECT_TRUE(MeasureAnswer(cell_, input_)->ger.has_value());
  input_.gold = "I don't know";
  const AnswerMetrics metrics = MeasureAnswer(cell_, input_).value();
  EXPECT_FALSE(metrics.ger || metrics.ger_layer || metrics.ger_layer_mean);
  EXPECT_TRUE(metrics.consensus_mean.has_value());
  const std::vector<std::string> more = {"no reply"};
  input_.gold = "No reply.";
  EXPECT_TRUE(MeasureAnswer(cell_, input_)->ger.has_value());
  EXPECT_FALSE(MeasureAnswer(cell_, input_, Abstentions(more))->ger.has_value());
}

TEST_F(AnswerMetricsTest, FillsEveryField) {
  const AnswerMetrics metrics = MeasureAnswer(cell_, input_).value();
  EXPECT_DOUBLE_EQ(metrics.f1, 0.8);
  EXPECT_FALSE(metrics.exact);  // the comma stays
  EXPECT_EQ(metrics.outcome, Outcome::kCorrect);
  EXPECT_THAT(metrics.ger, Optional(0.5));
  EXPECT_THAT(metrics.ger_layer, Optional(ElementsAre(0.5, 1.0)));
  EXPECT_THAT(metrics.ger_layer_mean, Optional(0.75));
  EXPECT_EQ(metrics.eviction_rate, 0.25);
  EXPECT_EQ(metrics.evicted_share, 0.5);
  EXPECT_EQ(metrics.kept_ratio, 0.5);
  EXPECT_THAT(metrics.consensus_mean, Optional(0.75));
  EXPECT_THAT(metrics.consensus_layer, ElementsAre(Optional(1.0), Optional(0.5)));
  EXPECT_THAT(metrics.agreement_max, Optional(1.0));
  EXPECT_THAT(metrics.agreement_layer, ElementsAre(Optional(0.5), Optional(1.0)));
  EXPECT_THAT(metrics.generated_consensus_mean, Optional(0.75));
  EXPECT_THAT(metrics.generated_consensus_layer, ElementsAre(Optional(0.75), Optional(0.75)));
  EXPECT_THAT(metrics.generated_agreement_max, Optional(0.75));
  EXPECT_THAT(metrics.generated_agreement_layer, ElementsAre(Optional(0.75), Optional(0.75)));
}

TEST_F(AnswerMetricsTest, WhatIsNotDefinedIsNull) {
  input_.answer_span = {};
  input_.prompt_top = {};
  input_.generated_top = {};
  const AnswerMetrics metrics = MeasureAnswer(cell_, input_).value();
  EXPECT_EQ(metrics.ger, std::nullopt);
  EXPECT_EQ(metrics.ger_layer, std::nullopt);
  EXPECT_EQ(metrics.ger_layer_mean, std::nullopt);
  EXPECT_EQ(metrics.consensus_mean, std::nullopt);
  EXPECT_THAT(metrics.consensus_layer, IsEmpty());
  EXPECT_EQ(metrics.agreement_max, std::nullopt);
  EXPECT_EQ(metrics.generated_consensus_mean, std::nullopt);
  EXPECT_EQ(metrics.eviction_rate, 0.25);
}

TEST_F(AnswerMetricsTest, PassesThresholdsOn) {
  EXPECT_EQ(MeasureAnswer(cell_, input_, Abstentions(), {.correct_f1 = 0.9})->outcome,
            Outcome::kPartial);
}

TEST_F(AnswerMetricsTest, ErrorsNameTheField) {
  const std::vector<int32_t> outside = {4};
  input_.answer_span = outside;
  EXPECT_THAT(Error(), HasSubstr("answer span: position 4"));
  input_.answer_span = span_;

  input_.prompt_top = {2, 2, 2, generated_};
  EXPECT_THAT(Error(), HasSubstr("prompt_top: 2 rows"));
  input_.prompt_top = {1, 4, 1, prompt_};
  EXPECT_THAT(Error(),
              HasSubstr("prompt_top: top tokens of 4 layers were found, but the cell has 2"));
  input_.prompt_top = {1, 2, 2, prompt_};

  input_.generated_top = {3, 2, 2, generated_};
  EXPECT_THAT(Error(), HasSubstr("generated_top: "));
}

}  // namespace
}  // namespace kvscope::metrics
