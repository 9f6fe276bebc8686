// random: draws every score; the baseline that any other scorer must beat.
//
// A score is a function of (seed, layer, head, position in the prompt) alone, uniform in [0, 1)
// with 24 bits, the same on every machine. kvpress reuses one draw for all layers when it has a
// seed; here every layer and head draws anew, so that "evicted everywhere" is as rare as chance
// makes it.
#include <cstdint>

#include "services/inference/scorers/scorer.h"

namespace kvscope::inference {
namespace {

constexpr uint64_t kGolden = 0x9E3779B97F4A7C15u;  // 2^64 / golden ratio: distinct, spread counters

// The finaliser of SplitMix64 (Steele et al. 2014): every input bit sways every output bit.
uint64_t Mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

uint64_t Derive(uint64_t key, uint64_t counter) { return Mix(key + kGolden * (counter + 1)); }

class Random final : public Scorer {
 public:
  explicit Random(const ParameterValues& values) : seed_(static_cast<uint64_t>(values[0])) {}

  Needs needs() const override { return {}; }

  void Score(const LayerView& layer, ScoreMatrix scores) const override {
    const uint64_t layer_key = Derive(Mix(seed_ + kGolden), layer.layer);
    for (int head = 0; head < layer.kv_heads; ++head) {
      const uint64_t key = Derive(layer_key, head);
      for (int token = 0; token < layer.tokens; ++token) {
        const uint64_t bits = Derive(key, layer.first_token + token) >> 40;
        scores(head, token) = static_cast<float>(bits) * 0x1p-24f;
      }
    }
  }

 private:
  const uint64_t seed_;
};

constexpr ParameterInfo kParameters[] = {
    {.name = "seed",
     .type = "int",
     .default_value = "",
     .range = "[0, 2^53 - 1]",
     .min = 0,
     .max = 9007199254740991.0,
     .summary = "What the scores are drawn from; the sweep's seed unless given."},
};

}  // namespace

extern constinit const ScorerInfo kRandom = {
    .name = "random",
    .kvpress_name = "RandomPress",
    .summary = "Keeps tokens drawn at random, anew for every layer and head.",
    .source = "baseline",
    .parameters = kParameters,
    .make = Make<Random>,
};

}  // namespace kvscope::inference
