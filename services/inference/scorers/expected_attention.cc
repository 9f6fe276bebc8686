// expected_attention: keeps what queries yet to come are expected to attend to.  Source: Devoto et
// al. 2025, arXiv:2510.00636; numbers as kvpress 0.5.5.
//
// The queries before RoPE (sinks left out) have mean μ and covariance Σ per query head. R is the
// RoPE matrix averaged over the `n_future_positions` positions that follow the context. If future
// queries were normal with mean Rμ and covariance RΣRᵀ, then E[exp(q·k/√d)] is
// exp(k·Rμ/√d + kᵀRΣRᵀk/2d): a token's score is its share of that sum, averaged over the query
// heads of a KV head, plus `epsilon`, times the norm of its value. Sinks are kept first: they score
// the layer's largest score + 1.
// Within a chunk the future starts at the chunk's length, as kvpress has it.
#include <cmath>

#include "services/inference/scorers/product.h"
#include "services/inference/scorers/rotation.h"
#include "services/inference/scorers/scorer.h"

namespace kvscope::inference {
namespace {

class ExpectedAttention final : public Scorer {
 public:
  explicit ExpectedAttention(const ParameterValues& values)
      : n_future_positions_(static_cast<int>(values[0])),
        n_sink_(static_cast<int>(values[1])),
        use_covariance_(values[2] != 0),
        use_vnorm_(values[3] != 0),
        epsilon_(static_cast<float>(values[4])) {}

  Needs needs() const override { return {.keys = true, .values = use_vnorm_, .queries = true}; }
  int min_tokens() const override { return n_sink_ + 1; }

  void Score(const LayerView& layer, ScoreMatrix scores) const override {
    const LayerView rest = layer.Slice(n_sink_, layer.tokens);
    const Rotation future = MeanRotation(*layer.rope, layer.tokens, n_future_positions_);
    for (int head = 0; head < layer.kv_heads; ++head) {
      Eigen::VectorXf share = Eigen::VectorXf::Zero(rest.tokens);
      for (int q = head * layer.group(); q < (head + 1) * layer.group(); ++q) {
        share += ExpectedShare(rest.keys(head), rest.queries(q), future);
      }
      share /= static_cast<float>(layer.group());
      if (use_vnorm_) {
        share = (share.array() + epsilon_) * rest.values(head).rowwise().norm().array();
      }
      scores.row(head).tail(rest.tokens) = share;
    }
    const float largest = scores.rightCols(rest.tokens).maxCoeff();
    scores.leftCols(n_sink_).setConstant(largest + 1.0f);
  }

 private:
  // The share of each key [tokens, head_dim] in the attention that one query head is expected to
  // pay in future; sums to 1.
  Eigen::VectorXf ExpectedShare(const MatrixView& keys, const MatrixView& queries,
                                const Rotation& future) const {
    const float dim = static_cast<float>(keys.cols());
    const Eigen::RowVectorXf mean = queries.cast<double>().colwise().mean().cast<float>();
    Eigen::VectorXf logits = keys * future.Rows(mean).transpose() / std::sqrt(dim);
    if (use_covariance_) {
      const RowMatrix centred = future.Rows(queries.rowwise() - mean);  // R(q - μ): RΣRᵀ at once
      const RowMatrix covariance =
          TransposedTimes(centred, centred) / static_cast<float>(queries.rows());
      const RowMatrix product = TimesTransposed(keys, covariance);  // it is symmetric
      logits += product.cwiseProduct(keys).rowwise().sum() / (2.0f * dim);
    }
    const Eigen::VectorXd weights = (logits.array() - logits.maxCoeff()).exp().cast<double>();
    return (weights / weights.sum()).cast<float>();
  }

  const int n_future_positions_;
  const int n_sink_;
  const bool use_covariance_;
  const bool use_vnorm_;
  const float epsilon_;
};

constexpr ParameterInfo kParameters[] = {
    {.name = "n_future_positions",
     .type = "int",
     .default_value = "512",
     .range = "[1, 100000]",
     .min = 1,
     .max = 100000,
     .summary = "Positions after the context over which RoPE is averaged."},
    {.name = "n_sink",
     .type = "int",
     .default_value = "4",
     .range = "[0, 1000000]",
     .min = 0,
     .max = 1000000,
     .summary = "First tokens that are kept first and left out of the statistics."},
    {.name = "use_covariance",
     .type = "bool",
     .default_value = "true",
     .summary = "Whether the covariance of the queries counts, or their mean alone."},
    {.name = "use_vnorm",
     .type = "bool",
     .default_value = "true",
     .summary = "Whether scores are multiplied by the norm of the value."},
    {.name = "epsilon",
     .type = "float",
     .default_value = "0",
     .range = "[0, 1000]",
     .min = 0,
     .max = 1000,
     .summary = "Added to the score before the norm of the value multiplies it."},
};

}  // namespace

extern constinit const ScorerInfo kExpectedAttention = {
    .name = "expected_attention",
    .kvpress_name = "ExpectedAttentionPress",
    .summary = "Keeps what queries yet to come are expected to attend to.",
    .source = "arXiv:2510.00636",
    .parameters = kParameters,
    .make = Make<ExpectedAttention>,
};

}  // namespace kvscope::inference
