// What was evicted: eviction rate, evicted share and the global eviction ratio (GER) of an answer.
// Source: arXiv:2603.01426, section on metrics.  S(l, h, t) = 1 if context token t survives in
// layer l, KV head h.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/metrics/survival/keep_bits.h"

namespace kvscope::metrics {

// Of one cell: over all context tokens.  Shares lie in [0, 1].
struct SurvivalMetrics {
  double eviction_rate = 0;                 // tokens that no head of any layer keeps (the paper's)
  double evicted_share = 0;                 // 1 - mean of S over layers, heads and tokens
  double kept_ratio = 0;                    // mean of S, measured
  int64_t kept_pairs = 0;                   // sum of S
  int64_t empty_heads = 0;                  // (layer, head) pairs that keep no token at all
  std::vector<double> eviction_rate_layer;  // [layers] tokens that no head of the layer keeps
  std::vector<double> evicted_share_layer;  // [layers] 1 - mean of S over heads and tokens
};

// Of one answer: over the context tokens of the gold answer's span.  All are null where the span is
// empty, that is, where the gold answer has no place in the context: never 0.
struct AnswerSurvival {
  std::optional<double> ger;                     // span tokens evicted in every head of every layer
  std::optional<std::vector<double>> ger_layer;  // [layers] ... in every head of the layer
  std::optional<double> ger_layer_mean;          // mean of ger_layer over layers
};

// InvalidArgument unless the positions ascend strictly within [0, tokens).
absl::Status CheckSpan(std::span<const int32_t> span, int tokens);

// One cell's keep sets, read once; each answer of the cell is then a few words' work.
class CellSurvival {
 public:
  // O(layers * kv_heads * tokens / 64).  Keeps no reference to `bits`.
  explicit CellSurvival(const KeepBits& bits);

  const SurvivalMetrics& metrics() const { return metrics_; }
  int layers() const { return layers_; }
  int tokens() const { return tokens_; }

  // `span`: token positions, strictly ascending.
  // Errors: InvalidArgument if a position lies outside [0, tokens) or the order is broken.
  absl::StatusOr<AnswerSurvival> Answer(std::span<const int32_t> span) const;

 private:
  int layers_;
  int tokens_;
  SurvivalMetrics metrics_;
  std::vector<uint64_t> kept_anywhere_;  // [words] union over layers and heads
  std::vector<uint64_t> kept_in_layer_;  // [layers, words] union over the layer's heads
};

}  // namespace kvscope::metrics
