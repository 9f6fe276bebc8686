// knorm: keeps the tokens whose keys have the smallest L2 norm.  Source: Devoto et al. 2024,
// arXiv:2406.11430.
#include "services/inference/scorers/scorer.h"

namespace kvscope::inference {
namespace {

class Knorm final : public Scorer {
 public:
  Needs needs() const override { return {.keys = true}; }

  void Score(const LayerView& layer, ScoreMatrix scores) const override {
    for (int head = 0; head < layer.kv_heads; ++head) {
      scores.row(head) = -layer.keys(head).rowwise().norm();  // short keys draw the most attention
    }
  }
};

}  // namespace

extern constinit const ScorerInfo kKnorm = {
    .name = "knorm",
    .kvpress_name = "KnormPress",
    .summary = "Keeps the keys with the smallest L2 norm.",
    .source = "arXiv:2406.11430",
    .parameters = {},
    .make = Make<Knorm>,
};

}  // namespace kvscope::inference
