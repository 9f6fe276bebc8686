#include "services/metrics/probe/softmax_regression.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>
#include <limits>
#include <random>

namespace kvscope::metrics {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Examples {
  FeatureMatrix features{{0}, 1};
  std::vector<int> labels;
};

Examples Draw(int rows, int width, int classes, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> centers(classes * width), values;
  for (float& center : centers) center = normal(random);
  Examples examples;
  for (int row = 0; row < rows; ++row) {
    examples.labels.push_back(static_cast<int>(random() % classes));
    for (int i = 0; i < width; ++i) {
      values.push_back(centers[examples.labels.back() * width + i] + 2 * normal(random));
    }
  }
  examples.features = FeatureMatrix(std::move(values), width);
  return examples;
}

// Two rows at -1 and 1 after standardising. With w = W[1] - W[0] = 2 W[1] the loss is
// log(1 + exp(-w)) + l2 w^2 / 4, so at its bottom 1 / (1 + exp(w)) = l2 w / 2.
TEST(FitSoftmax, ByHand) {
  const FeatureMatrix features({10, 14}, 1);
  const SoftmaxModel model =
      FitSoftmax(features, std::vector<int>{0, 1}, 2, {.l2 = 0.1, .gradient_tolerance = 1e-12})
          .value();
  EXPECT_TRUE(model.converged);
  EXPECT_THAT(model.mean, ElementsAre(12));
  EXPECT_THAT(model.std, ElementsAre(2));
  const double w = model.weights[1] - model.weights[0];
  EXPECT_NEAR(model.weights[1], w / 2, 1e-10);
  EXPECT_NEAR(1 / (1 + std::exp(w)), 0.1 * w / 2, 1e-10);
  EXPECT_NEAR(model.loss, std::log1p(std::exp(-w)) + 0.1 * w * w / 4, 1e-12);
  EXPECT_NEAR(model.bias[0], 0, 1e-10);
}

TEST(FitSoftmax, WithoutUsefulFeaturesTheBiasIsTheLogOfTheShares) {
  const FeatureMatrix features(std::vector<float>(12, 0.1f), 2);  // constant: std 0 counts as 1
  const std::vector<int> labels = {0, 0, 0, 1, 1, 2};
  const SoftmaxModel model = FitSoftmax(features, labels, 3, {.gradient_tolerance = 1e-12}).value();
  EXPECT_THAT(model.std, Each(1));
  EXPECT_THAT(model.mean, Each(static_cast<double>(0.1f)));
  EXPECT_THAT(model.weights, Each(0));
  EXPECT_NEAR(model.bias[0] - model.bias[1], std::log(3.0 / 2), 1e-9);
  EXPECT_NEAR(model.bias[0] - model.bias[2], std::log(3.0), 1e-9);
  EXPECT_NEAR(model.bias[0] + model.bias[1] + model.bias[2], 0, 1e-12);
  EXPECT_THAT(Predict(model, features).value(), Each(0));
}

TEST(FitSoftmax, SurvivesFeaturesOfAnySize) {
  const FeatureMatrix features({3e38f, 1e-38f, -3e38f, 2e-38f, 3e38f, 1e-38f, -3e38f, 2e-38f}, 2);
  const std::vector<int> labels = {0, 1, 0, 1};
  const SoftmaxModel model = FitSoftmax(features, labels, 2).value();
  EXPECT_TRUE(model.converged);
  EXPECT_TRUE(std::isfinite(model.loss));
  EXPECT_EQ(Predict(model, features).value(), labels);
}

TEST(FitSoftmax, RefusesFeaturesThatAreNotFinite) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    const FeatureMatrix features({1, 2, 3, 4, bad, 6}, 2);
    const absl::Status status = FitSoftmax(features, std::vector<int>{0, 1, 1}, 2).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr("not finite"));
    EXPECT_EQ(FindNotFinite(features).value(), 2);
  }
  EXPECT_EQ(FindNotFinite(FeatureMatrix({1, 2}, 1)).value(), -1);
}

TEST(FitSoftmax, RefusesAnL2ThatHasNoOptimum) {
  for (const double l2 : {0.0, -1.0, std::nan(""), std::numeric_limits<double>::infinity()}) {
    const absl::Status status =
        FitSoftmax(FeatureMatrix({1, 2}, 1), std::vector<int>{0, 1}, 2, {.l2 = l2}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << l2;
    EXPECT_THAT(std::string(status.message()), HasSubstr("l2 is"));
  }
}

// Many blocks and chunks; the gradient at the optimum computed plainly from its definition.
TEST(FitSoftmax, GradientIsZeroByItsDefinition) {
  const int rows = 1000, width = 300, classes = 4;
  const double l2 = 0.02;
  const Examples examples = Draw(rows, width, classes, 2);
  const SoftmaxModel model = FitSoftmax(examples.features, examples.labels, classes,
                                        {.l2 = l2, .gradient_tolerance = 1e-8})
                                 .value();
  ASSERT_TRUE(model.converged);

  std::vector<double> gradient(classes * width), bias_gradient(classes);
  std::vector<float> x(width);
  std::vector<double> z(width), shares(classes);
  double loss = 0;
  for (int row = 0; row < rows; ++row) {
    ASSERT_TRUE(examples.features.Read(row, 1, x.data()).ok());
    double sum = 0;
    for (int i = 0; i < width; ++i) z[i] = (x[i] - model.mean[i]) / model.std[i];
    for (int c = 0; c < classes; ++c) {
      double logit = model.bias[c];
      for (int i = 0; i < width; ++i) logit += model.weights[c * width + i] * z[i];
      sum += shares[c] = std::exp(logit);
    }
    loss -= std::log(shares[examples.labels[row]] / sum) / rows;
    for (int c = 0; c < classes; ++c) {
      const double off = shares[c] / sum - (c == examples.labels[row]);
      for (int i = 0; i < width; ++i) gradient[c * width + i] += off * z[i] / rows;
      bias_gradient[c] += off / rows;
    }
  }
  for (int i = 0; i < classes * width; ++i) {
    loss += l2 / 2 * model.weights[i] * model.weights[i];
    EXPECT_NEAR(gradient[i] + l2 * model.weights[i], 0, 2e-8);
  }
  for (const double of_class : bias_gradient) EXPECT_NEAR(of_class, 0, 2e-8);
  EXPECT_NEAR(loss, model.loss, 1e-12);
}

TEST(FitSoftmax, SameToTheBitWithAnyNumberOfThreads) {
  const Examples examples = Draw(700, 90, 3, 4);
  const int before = omp_get_max_threads();
  omp_set_num_threads(1);
  const SoftmaxModel one = FitSoftmax(examples.features, examples.labels, 3).value();
  omp_set_num_threads(5);
  const SoftmaxModel five = FitSoftmax(examples.features, examples.labels, 3).value();
  omp_set_num_threads(before);
  EXPECT_EQ(one.weights, five.weights);
  EXPECT_EQ(one.bias, five.bias);
  EXPECT_EQ(one.mean, five.mean);
}

TEST(FitSoftmax, SaysThatItStoppedEarly) {
  const Examples examples = Draw(200, 30, 3, 5);
  const SoftmaxModel model =
      FitSoftmax(examples.features, examples.labels, 3, {.max_evaluations = 4}).value();
  EXPECT_FALSE(model.converged);
  EXPECT_EQ(model.evaluations, 4);
  EXPECT_GT(model.gradient_max, 1e-6);
}

TEST(Predict, TiesGoToTheLowerClass) {
  SoftmaxModel model;
  model.classes = 3;
  model.mean = {0};
  model.std = {1};
  model.weights = {0, 1, 1};
  model.bias = {0, 0, 0};
  EXPECT_THAT(Predict(model, FeatureMatrix({5, 0, -5}, 1)).value(), ElementsAre(1, 0, 0));
}

class BrokenSource final : public FeatureSource {
 public:
  int64_t rows() const override { return 100; }
  int64_t width() const override { return 3; }
  absl::Status Read(int64_t first, int64_t count, float* out) const override {
    if (first + count > 70) return absl::UnavailableError("disk");
    for (int64_t i = 0; i < count * 3; ++i) out[i] = static_cast<float>((first + i) % 7);
    return absl::OkStatus();
  }
};

TEST(FitSoftmax, HandsOnErrorsOfReading) {
  const BrokenSource source;
  const std::vector<int> labels(100);
  EXPECT_EQ(FitSoftmax(source, labels, 2).status(), absl::UnavailableError("disk"));
  EXPECT_EQ(FindNotFinite(source).status(), absl::UnavailableError("disk"));
  EXPECT_EQ(FeatureMatrix::Load(source).status(), absl::UnavailableError("disk"));
}

TEST(SelectedRows, GivesRowsInTheirOrder) {
  const FeatureMatrix features({0, 0, 1, 10, 2, 20, 3, 30, 4, 40}, 2);
  const std::vector<int64_t> rows = {3, 4, 0, 1, 1, 2};
  const SelectedRows selected(features, rows);
  EXPECT_EQ(selected.rows(), 6);
  std::vector<float> out(8);
  ASSERT_TRUE(selected.Read(1, 4, out.data()).ok());
  EXPECT_THAT(out, ElementsAre(4, 40, 0, 0, 1, 10, 1, 10));
}

}  // namespace
}  // namespace kvscope::metrics
