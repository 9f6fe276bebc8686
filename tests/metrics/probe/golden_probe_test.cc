// Probes against tests/golden/metrics: the reference implementation's (probe.json, which
// reference_metrics.py defines) and scikit-learn's (make_probe_sklearn.py).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "services/metrics/probe/f1_score.h"
#include "services/metrics/probe/probe.h"
#include "services/metrics/probe/softmax_regression.h"
#include "tests/metrics/golden_tensors.h"

namespace kvscope::metrics {
namespace {

using ::testing::Pointwise;

std::string GoldenPath(const std::string& name) {
  return KVSCOPE_SOURCE_DIR "/tests/golden/metrics/" + name;
}

nlohmann::json ReadGolden(const std::string& name) {
  std::ifstream in(GoldenPath(name));
  nlohmann::json json = nlohmann::json::parse(in, nullptr, false);
  EXPECT_FALSE(json.is_discarded() || json.empty()) << name;
  return json;
}

template <typename T>
std::vector<T> Numbers(const GoldenTensor& tensor) {
  std::vector<T> numbers(tensor.bytes.size() / sizeof(T));
  std::memcpy(numbers.data(), tensor.bytes.data(), numbers.size() * sizeof(T));
  return numbers;
}

std::vector<int> Labels(const GoldenTensor& tensor) {
  const std::vector<int64_t> labels = Numbers<int64_t>(tensor);
  return {labels.begin(), labels.end()};
}

MATCHER_P(Within, tolerance, "") {
  return std::abs(std::get<0>(arg) - std::get<1>(arg)) <= tolerance;
}

TEST(ProbeGolden, ReferenceImplementation) {
  const nlohmann::json cases = ReadGolden("probe.json");
  const auto tensors = ReadGoldenTensors(GoldenPath("probe.safetensors"));
  ASSERT_EQ(cases.size(), 3u);
  for (const nlohmann::json& golden : cases) {
    const std::string key = golden["key"];
    SCOPED_TRACE(key);
    const auto tensor = [&](const char* name) { return tensors.at(key + "." + name); };
    const int classes = golden["classes"], width = golden["dim"];
    const FeatureMatrix train(Numbers<float>(tensor("x_train")), width);
    const FeatureMatrix test(Numbers<float>(tensor("x_test")), width);
    ASSERT_EQ(train.rows(), golden["n_train"]);

    const SoftmaxModel model = FitSoftmax(train, Labels(tensor("y_train")), classes,
                                          {.l2 = golden["l2_lambda"], .gradient_tolerance = 1e-9})
                                   .value();
    EXPECT_TRUE(model.converged) << model.gradient_max;
    EXPECT_NEAR(model.loss, golden["loss"].get<double>(), 1e-8);
    EXPECT_THAT(model.mean, Pointwise(Within(1e-9), Numbers<double>(tensor("mean"))));
    EXPECT_THAT(model.std, Pointwise(Within(1e-9), Numbers<double>(tensor("std"))));
    EXPECT_THAT(model.weights, Pointwise(Within(1e-5), Numbers<double>(tensor("W"))));
    EXPECT_THAT(model.bias, Pointwise(Within(1e-5), Numbers<double>(tensor("b"))));
    EXPECT_THAT(Logits(model, test).value(),
                Pointwise(Within(1e-5), Numbers<double>(tensor("test_logits"))));
    const std::vector<int> predictions = Predict(model, test).value();
    EXPECT_EQ(predictions, golden["predictions"].get<std::vector<int>>());
    const std::vector<int> truth = Labels(tensor("y_test"));
    const F1Scores scores = ScoreF1(truth, predictions, classes, std::vector<int>(truth.size()));
    EXPECT_DOUBLE_EQ(scores.macro->value, golden["macro_f1"].get<double>());
  }
}

class SklearnGolden : public ::testing::Test {
 protected:
  SklearnGolden() : features_(ReadFeatures()) {
    const auto tags = golden_["tags"].get<std::vector<std::string>>();
    for (const nlohmann::json& row : golden_["rows"]) {
      rows_.tags.push_back(tags.at(row["tag"]));
      rows_.passages.push_back(row["passage"]);
    }
    for (const std::string& tag : tags) plan_.tags.emplace_back().tag = tag;
    for (size_t i = 0; i < tags.size(); ++i) plan_.fitted.push_back(static_cast<int>(i));
    for (const nlohmann::json& row : golden_["rows"]) plan_.classes.push_back(row["tag"]);
    plan_.split.train = golden_["train"].get<std::vector<int64_t>>();
    plan_.split.validation = golden_["validation"].get<std::vector<int64_t>>();
  }

  static FeatureMatrix ReadFeatures() {
    const auto tensors = ReadGoldenTensors(GoldenPath("probe_sklearn.safetensors"));
    const GoldenTensor& features = tensors.at("features");
    return FeatureMatrix(features.Floats(), features.shape[1]);
  }

  const nlohmann::json golden_ = ReadGolden("probe_sklearn.json");
  FeatureMatrix features_;
  ProbeRows rows_;
  ProbePlan plan_;
};

TEST_F(SklearnGolden, ScoresOfTheProbe) {
  ASSERT_EQ(golden_["fits"].size(), 3u);
  for (const nlohmann::json& golden : golden_["fits"]) {
    SCOPED_TRACE(golden["l2"]);
    ProbeOptions options;
    options.softmax.l2 = golden["l2"];
    const ProbeFit fit = FitProbe(features_, rows_, plan_, options).value();
    EXPECT_EQ(fit.note, "");
    EXPECT_NEAR(fit.macro_f1->value, golden["macro_f1"].get<double>(), 1e-12);
    EXPECT_LT(*fit.macro_f1->low, fit.macro_f1->value);
    EXPECT_GT(*fit.macro_f1->high, fit.macro_f1->value);
    for (size_t i = 0; i < fit.tags.size(); ++i) {
      EXPECT_NEAR(fit.tags[i].f1->value, golden["f1"][i].get<double>(), 1e-12) << fit.tags[i].tag;
    }
  }
}

TEST_F(SklearnGolden, WeightsAndPredictions) {
  const int classes = static_cast<int>(plan_.tags.size());
  std::vector<int> labels;
  for (const int64_t row : plan_.split.train) labels.push_back(plan_.classes[row]);
  const SelectedRows train(features_, plan_.split.train);
  const SelectedRows validation(features_, plan_.split.validation);
  for (const nlohmann::json& golden : golden_["fits"]) {
    SCOPED_TRACE(golden["l2"]);
    const SoftmaxModel model =
        FitSoftmax(train, labels, classes, {.l2 = golden["l2"], .gradient_tolerance = 1e-9})
            .value();
    std::vector<double> coefficients;
    for (const nlohmann::json& of_class : golden["coef"]) {
      for (const double weight : of_class) coefficients.push_back(weight);
    }
    EXPECT_THAT(model.weights, Pointwise(Within(1e-5), coefficients));
    EXPECT_THAT(model.bias,
                Pointwise(Within(1e-5), golden["intercept"].get<std::vector<double>>()));
    EXPECT_EQ(Predict(model, validation).value(), golden["predictions"].get<std::vector<int>>());
  }
}

}  // namespace
}  // namespace kvscope::metrics
