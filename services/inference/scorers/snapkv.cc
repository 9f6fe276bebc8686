// snapkv: keeps what the last tokens attend to.  Source: Li et al. 2024, arXiv:2404.14469; numbers
// as kvpress 0.5.5.
//
// The queries of the last `window_size` tokens attend causally to all tokens; their weights on the
// tokens before the window are averaged over the window, smoothed along the tokens (`kernel_size`,
// zeros beyond the ends count) and averaged over the query heads of a KV head. The window itself is
// kept first: it scores the layer's largest score + 1.
// Within a chunk the window's queries take the prompt's last positions, as kvpress has it, although
// they stand elsewhere.
#include <algorithm>
#include <cmath>
#include <vector>

#include "services/inference/scorers/product.h"
#include "services/inference/scorers/rotation.h"
#include "services/inference/scorers/scorer.h"

namespace kvscope::inference {
namespace {

// The rotations of positions first .. first + count - 1, one each.
std::vector<Rotation> Rotations(const RopeParameters& rope, int first, int count) {
  std::vector<Rotation> rotations;
  rotations.reserve(count);
  for (int i = 0; i < count; ++i) rotations.push_back(MeanRotation(rope, first + i, 1));
  return rotations;
}

// Mean over the rows of softmax(logits) [window, tokens], row w of which sees all tokens but the
// last window - 1 - w.
Eigen::RowVectorXd MeanCausalSoftmax(const RowMatrix& logits) {
  const Eigen::Index window = logits.rows(), tokens = logits.cols();
  Eigen::RowVectorXd mean = Eigen::RowVectorXd::Zero(tokens);
  for (Eigen::Index w = 0; w < window; ++w) {
    const Eigen::Index visible = tokens - (window - 1 - w);
    const auto seen = logits.row(w).head(visible).array();
    const Eigen::RowVectorXf weights = (seen - seen.maxCoeff()).exp();
    mean.head(visible) += weights.cast<double>() / weights.cast<double>().sum();
  }
  return mean / static_cast<double>(window);
}

// The mean of `kernel` (odd) neighbours around each value; zeros beyond the ends count.
Eigen::RowVectorXd Smooth(const Eigen::RowVectorXd& values, int kernel) {
  const Eigen::Index size = values.size(), reach = kernel / 2;
  Eigen::RowVectorXd smooth(size);
  for (Eigen::Index i = 0; i < size; ++i) {
    const Eigen::Index begin = std::max<Eigen::Index>(0, i - reach);
    const Eigen::Index end = std::min(size, i + reach + 1);
    smooth(i) = values.segment(begin, end - begin).sum() / kernel;
  }
  return smooth;
}

class SnapKv final : public Scorer {
 public:
  explicit SnapKv(const ParameterValues& values)
      : window_size_(static_cast<int>(values[0])), kernel_size_(static_cast<int>(values[1])) {}

  Needs needs() const override { return {.keys = true, .queries = true}; }
  int min_tokens() const override { return window_size_ + 1; }

  void Score(const LayerView& layer, ScoreMatrix scores) const override {
    const int before = layer.tokens - window_size_;
    const std::vector<Rotation> window =
        Rotations(*layer.rope, layer.sequence_tokens - window_size_, window_size_);
    for (int head = 0; head < layer.kv_heads; ++head) {
      Eigen::RowVectorXd sum = Eigen::RowVectorXd::Zero(before);
      for (int q = head * layer.group(); q < (head + 1) * layer.group(); ++q) {
        sum += Smooth(WindowAttention(layer, head, q, window).head(before), kernel_size_);
      }
      scores.row(head).head(before) = (sum / layer.group()).cast<float>();
    }
    const float largest = scores.leftCols(before).maxCoeff();
    scores.rightCols(window_size_).setConstant(largest + 1.0f);
  }

 private:
  // What the window's queries of one head give each token, [tokens].
  Eigen::RowVectorXd WindowAttention(const LayerView& layer, int head, int q,
                                     const std::vector<Rotation>& window) const {
    RowMatrix queries = layer.queries(q).bottomRows(window_size_);
    for (int w = 0; w < window_size_; ++w) queries.row(w) = window[w].Rows(queries.row(w));
    queries /= std::sqrt(static_cast<float>(layer.head_dim));
    return MeanCausalSoftmax(TimesTransposed(queries, layer.keys(head)));
  }

  const int window_size_;
  const int kernel_size_;
};

constexpr ParameterInfo kParameters[] = {
    {.name = "window_size",
     .type = "int",
     .default_value = "64",
     .range = "[1, 1000000]",
     .min = 1,
     .max = 1000000,
     .summary = "Last tokens whose queries score the rest; they are kept first."},
    {.name = "kernel_size",
     .type = "int",
     .default_value = "5",
     .range = "odd, [1, 9999]",
     .min = 1,
     .max = 9999,
     .odd = true,
     .summary = "Neighbouring tokens over which attention is averaged."},
};

}  // namespace

extern constinit const ScorerInfo kSnapKv = {
    .name = "snapkv",
    .kvpress_name = "SnapKVPress",
    .summary = "Keeps what the last tokens attend to.",
    .source = "arXiv:2404.14469",
    .parameters = kParameters,
    .make = Make<SnapKv>,
};

}  // namespace kvscope::inference
