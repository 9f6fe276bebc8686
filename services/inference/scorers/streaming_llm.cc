// streaming_llm: keeps the first tokens (sinks) and the most recent ones.  Source: Xiao et al.
// 2023, arXiv:2309.17453.
//
// kvpress scores 1 or 0 by the ratio; this ranking does not know the ratio, and any number of kept
// tokens cuts from it what kvpress keeps: sinks first, the earliest of them where not all fit, then
// the last tokens.
#include "services/inference/scorers/scorer.h"

namespace kvscope::inference {
namespace {

class StreamingLlm final : public Scorer {
 public:
  explicit StreamingLlm(const ParameterValues& values) : n_sink_(static_cast<int>(values[0])) {}

  Needs needs() const override { return {}; }
  int min_tokens() const override { return n_sink_ + 1; }

  void Score(const LayerView& layer, ScoreMatrix scores) const override {
    scores.rowwise() = Eigen::RowVectorXf::LinSpaced(layer.tokens, 0.0f, layer.tokens - 1.0f);
    scores.leftCols(n_sink_).setConstant(static_cast<float>(layer.tokens));
  }

 private:
  const int n_sink_;
};

constexpr ParameterInfo kParameters[] = {
    {.name = "n_sink",
     .type = "int",
     .default_value = "4",
     .range = "[0, 1000000]",
     .min = 0,
     .max = 1000000,
     .summary = "First tokens that are always kept."},
};

}  // namespace

extern constinit const ScorerInfo kStreamingLlm = {
    .name = "streaming_llm",
    .kvpress_name = "StreamingLLMPress",
    .summary = "Keeps the first tokens and the most recent ones.",
    .source = "arXiv:2309.17453",
    .parameters = kParameters,
    .make = Make<StreamingLlm>,
};

}  // namespace kvscope::inference
