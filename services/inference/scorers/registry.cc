#include "services/inference/scorers/scorer.h"

namespace kvscope::inference {

extern const ScorerInfo kExpectedAttention;
extern const ScorerInfo kKnorm;
extern const ScorerInfo kRandom;
extern const ScorerInfo kSnapKv;
extern const ScorerInfo kStreamingLlm;

std::span<const ScorerInfo* const> Scorers() {
  static constexpr const ScorerInfo* kScorers[] = {
      &kExpectedAttention, &kSnapKv, &kStreamingLlm, &kKnorm, &kRandom,
  };
  return kScorers;
}

}  // namespace kvscope::inference
