#include "services/metrics/probe/softmax_regression.h"

#include <Eigen/Core>
#include <algorithm>
#include <cassert>
#include <cmath>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "services/metrics/probe/lbfgs.h"
#include "services/metrics/probe/row_sum.h"
#include "services/status_macros.h"

namespace kvscope::metrics {
namespace {

using Rows = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using RowsView = Eigen::Map<const Rows>;
using MutableRows = Eigen::Map<Rows>;
using Row = Eigen::Map<const Eigen::RowVectorXd>;
using MutableRow = Eigen::Map<Eigen::RowVectorXd>;
using FloatRows =
    Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>;

// Fills mean and std.
absl::Status Standardise(const FeatureSource& features, SoftmaxModel* model) {
  const int64_t width = features.width();
  const auto rows = static_cast<double>(features.rows());
  // Relative to the first row, so that a constant feature has exactly its value for a mean.
  std::vector<float> first(width);
  KVSCOPE_RETURN_IF_ERROR(features.Read(0, 1, first.data()));
  const auto origin = FloatRows(first.data(), 1, width).cast<double>().eval();
  const auto add = [width](const Eigen::RowVectorXd& from, const RowBlock& block, bool square,
                           double* sums) {
    MutableRow sum(sums, width);
    for (int64_t row = 0; row < block.count; ++row) {
      const auto x = FloatRows(block.features + row * width, 1, width).cast<double>();
      if (square) {
        sum += (x - from).cwiseAbs2();
      } else {
        sum += x - from;
      }
    }
  };

  model->mean.resize(width);
  KVSCOPE_RETURN_IF_ERROR(SumOverRows(
      features, [&](const RowBlock& block, double* sums) { add(origin, block, false, sums); },
      &model->mean));
  MutableRow mean(model->mean.data(), width);
  mean = origin + mean / rows;
  if (!mean.allFinite())
    return absl::InvalidArgumentError("there are features that are not finite");

  model->std.resize(width);
  KVSCOPE_RETURN_IF_ERROR(SumOverRows(
      features, [&](const RowBlock& block, double* sums) { add(mean, block, true, sums); },
      &model->std));
  for (double& std : model->std) std = std > 0 ? std::sqrt(std / rows) : 1;
  return absl::OkStatus();
}

// The block's rows, standardised, in its scratch.
MutableRows StandardRows(const SoftmaxModel& model, const RowBlock& block) {
  const auto width = static_cast<int64_t>(model.mean.size());
  block.scratch->resize(static_cast<size_t>(block.count * width));
  MutableRows z(block.scratch->data(), block.count, width);
  const Row mean(model.mean.data(), width), std(model.std.data(), width);
  const FloatRows x(block.features, block.count, width);
  for (int64_t row = 0; row < block.count; ++row) {
    z.row(row) = (x.row(row).cast<double>() - mean).cwiseQuotient(std);
  }
  return z;
}

// The loss over rows and its gradient, at parameters [classes, width] of W and [classes] of b.
class SoftmaxLoss {
 public:
  SoftmaxLoss(const FeatureSource& features, std::span<const int> labels, double l2,
              const SoftmaxModel& model)
      : features_(features),
        labels_(labels),
        l2_(l2),
        model_(model),
        weights_(model.classes * features.width()) {}

  int64_t parameters() const { return weights_ + model_.classes; }

  absl::StatusOr<double> operator()(const std::vector<double>& x, std::vector<double>* gradient) {
    std::vector<double> sums(parameters() + 1);
    KVSCOPE_RETURN_IF_ERROR(SumOverRows(
        features_, [&](const RowBlock& block, double* sums) { Add(x, block, sums); }, &sums));
    const auto rows = static_cast<double>(features_.rows());
    double square = 0;
    for (int64_t i = 0; i < parameters(); ++i) {
      (*gradient)[i] = sums[i] / rows;
      if (i >= weights_) continue;  // b is not penalised
      (*gradient)[i] += l2_ * x[i];
      square += x[i] * x[i];
    }
    return sums.back() / rows + l2_ / 2 * square;
  }

 private:
  // `sums`: gradient of W, of b, and the loss.
  void Add(const std::vector<double>& x, const RowBlock& block, double* sums) const {
    const int classes = model_.classes;
    const RowsView weights(x.data(), classes, features_.width());
    const Row bias(x.data() + weights_, classes);
    const MutableRows z = StandardRows(model_, block);
    Rows shares = z * weights.transpose();  // becomes the probabilities, less 1 for the label
    for (int64_t row = 0; row < block.count; ++row) {
      auto logits = shares.row(row);
      logits += bias;
      const double largest = logits.maxCoeff();
      const int label = labels_[block.first + row];
      const double of_label = logits[label] - largest;
      logits = (logits.array() - largest).exp();
      const double sum = logits.sum();
      sums[parameters()] += std::log(sum) - of_label;
      logits /= sum;
      logits[label] -= 1;
    }
    MutableRows(sums, classes, features_.width()).noalias() += shares.transpose() * z;
    MutableRow(sums + weights_, classes) += shares.colwise().sum();
  }

  const FeatureSource& features_;
  std::span<const int> labels_;
  double l2_;
  const SoftmaxModel& model_;
  int64_t weights_;  // numbers in W
};

}  // namespace

absl::StatusOr<SoftmaxModel> FitSoftmax(const FeatureSource& features, std::span<const int> labels,
                                        int classes, const SoftmaxOptions& options) {
  assert(features.rows() > 0 && classes > 0);
  assert(static_cast<int64_t>(labels.size()) == features.rows());
  assert(std::all_of(labels.begin(), labels.end(),
                     [classes](int label) { return 0 <= label && label < classes; }));
  if (!(options.l2 > 0) || !std::isfinite(options.l2)) {
    return absl::InvalidArgumentError(
        absl::StrCat("l2 is ", options.l2, ", allowed: finite and above 0"));
  }
  SoftmaxModel model;
  model.classes = classes;
  KVSCOPE_RETURN_IF_ERROR(Standardise(features, &model));

  SoftmaxLoss loss(features, labels, options.l2, model);
  LbfgsOptions lbfgs;
  lbfgs.gradient_tolerance = options.gradient_tolerance;
  lbfgs.max_evaluations = options.max_evaluations;
  KVSCOPE_ASSIGN_OR_RETURN(LbfgsResult best,
                           MinimizeLbfgs([&loss](const std::vector<double>& x,
                                                 std::vector<double>* g) { return loss(x, g); },
                                         std::vector<double>(loss.parameters()), lbfgs));
  model.bias.assign(best.x.end() - classes, best.x.end());
  best.x.resize(best.x.size() - classes);
  model.weights = std::move(best.x);
  MutableRow bias(model.bias.data(), classes);
  bias.array() -= bias.mean();
  model.loss = best.value;
  model.gradient_max = best.gradient_max;
  model.evaluations = best.evaluations;
  model.converged = best.converged;
  return model;
}

absl::StatusOr<std::vector<double>> Logits(const SoftmaxModel& model,
                                           const FeatureSource& features) {
  assert(features.width() == static_cast<int64_t>(model.mean.size()));
  const int classes = model.classes;
  std::vector<double> logits(features.rows() * classes);
  const RowsView weights(model.weights.data(), classes, features.width());
  const Row bias(model.bias.data(), classes);
  std::vector<double> nothing;
  KVSCOPE_RETURN_IF_ERROR(SumOverRows(
      features,
      [&](const RowBlock& block, double*) {
        MutableRows out(logits.data() + block.first * classes, block.count, classes);
        out = (StandardRows(model, block) * weights.transpose()).rowwise() + bias;
      },
      &nothing));
  return logits;
}

absl::StatusOr<std::vector<int>> Predict(const SoftmaxModel& model, const FeatureSource& features) {
  KVSCOPE_ASSIGN_OR_RETURN(const std::vector<double> logits, Logits(model, features));
  std::vector<int> predictions;
  for (auto row = logits.begin(); row != logits.end(); row += model.classes) {
    predictions.push_back(static_cast<int>(std::max_element(row, row + model.classes) - row));
  }
  return predictions;
}

absl::StatusOr<int64_t> FindNotFinite(const FeatureSource& features) {
  const int64_t width = features.width();
  std::vector<char> broken(features.rows());
  std::vector<double> nothing;
  KVSCOPE_RETURN_IF_ERROR(SumOverRows(
      features,
      [&](const RowBlock& block, double*) {
        for (int64_t row = 0; row < block.count; ++row) {
          const float* x = block.features + row * width;
          broken[block.first + row] =
              !std::all_of(x, x + width, [](float value) { return std::isfinite(value); });
        }
      },
      &nothing));
  const auto found = std::find(broken.begin(), broken.end(), 1);
  return found == broken.end() ? -1 : found - broken.begin();
}

}  // namespace kvscope::metrics
