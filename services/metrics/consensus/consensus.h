// Do the heads look at the same token?  Source: arXiv:2603.01426, section on metrics.
// Of one attention row of one layer, t*(h) is head h's top-attended surviving context token and H
// the number of query heads:
//   consensus = |{t*(h)}| / H            low = the heads agree
//   agreement = max_t |{h : t*(h) = t}| / H   (rho; the share of heads that look at one token)
// A head without any surviving context token has no t*: it adds no token, but H still counts it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "absl/status/statusor.h"

namespace kvscope::metrics {

// Top-attended tokens [steps, layers, q_heads], -1 = none.  Does not own the ids.
struct TopTokens {
  int steps = 0;  // attention rows: 1 for the last prompt token, else the generated tokens
  int layers = 0;
  int q_heads = 0;
  std::span<const int32_t> ids;
};

// In (0, 1].  A layer without a single valid head is null, as is a mean or maximum over nothing.
struct ConsensusMetrics {
  std::vector<std::optional<double>> consensus_layer;  // [layers] mean over steps
  std::vector<std::optional<double>> agreement_layer;  // [layers] mean over steps
  std::optional<double> consensus_mean;  // each step's mean over layers, averaged over steps
  std::optional<double> agreement_max;   // each step's maximum over layers, averaged over steps
};

// Means leave null values out.  With 0 steps everything is null and the [layers] lists are empty.
// Errors: InvalidArgument if a dimension is negative, layers or q_heads is 0 although there are
// steps, the length is not steps * layers * q_heads, or an id is below -1.
absl::StatusOr<ConsensusMetrics> MeasureConsensus(const TopTokens& top);

}  // namespace kvscope::metrics
