// Multinomial logistic regression with an L2 penalty.
// Source: arXiv:2603.01426, algorithm 2 (softmax regression on pooled hidden states).
//   loss = mean over rows of -log softmax(W z + b)[label] + l2 / 2 |W|^2,   z = (x - mean) / std
// mean and std (population) are the training rows', a std of 0 counts as 1; b is not penalised. The
// optimum is unique but for a common shift of b, which is set so that b has mean 0.
// scikit-learn's LogisticRegression has the same optimum at C = 1 / (l2 rows).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "services/metrics/probe/feature_source.h"

namespace kvscope::metrics {

struct SoftmaxOptions {
  double l2 = 0.01;                  // above 0
  double gradient_tolerance = 1e-6;  // of the loss's gradient, largest absolute component
  int max_evaluations = 2000;        // passes over the rows
};

struct SoftmaxModel {
  int classes = 0;
  std::vector<double> mean, std;  // [width]
  std::vector<double> weights;    // [classes, width], of standardised features
  std::vector<double> bias;       // [classes]
  double loss = 0;
  double gradient_max = 0;
  int evaluations = 0;
  bool converged = false;  // gradient_max is within the tolerance
};

// `labels` in [0, classes), one a row; at least one row and class: anything else is a bug.
// Memory beside the source: about 30 (classes x width) doubles, and two for each thread.
// Errors: InvalidArgument (a feature that is not finite, an l2 that is not above 0), those of
// `features`.
absl::StatusOr<SoftmaxModel> FitSoftmax(const FeatureSource& features, std::span<const int> labels,
                                        int classes, const SoftmaxOptions& options = {});

// W z + b, [rows, classes].  Errors: those of `features`, whose width must be the model's.
absl::StatusOr<std::vector<double>> Logits(const SoftmaxModel& model,
                                           const FeatureSource& features);

// The class of each row with the largest logit; ties go to the lower class. Errors: as above.
absl::StatusOr<std::vector<int>> Predict(const SoftmaxModel& model, const FeatureSource& features);

// The first row with a feature that is not finite, -1 if there is none. Errors: those of
// `features`.
absl::StatusOr<int64_t> FindNotFinite(const FeatureSource& features);

}  // namespace kvscope::metrics
