// Which heads must look elsewhere once their token is gone.  Source: arXiv:2603.01426, Prop. 3: if
// the consensus token is evicted, at least a share rho of the heads must re-route.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "services/metrics/consensus/consensus.h"
#include "services/metrics/survival/keep_bits.h"

namespace kvscope::metrics {

// Of one layer; shares of all its query heads, in [0, 1].
struct LayerReroute {
  int32_t consensus_token = 0;  // where most heads look first; of equal ones the earliest token
  double rho = 0;               // heads that look there first
  // Of those, the heads whose KV head evicted the token: rho if the layer evicted it everywhere,
  // 0 where it survives.
  double must_reroute = 0;
  // Heads whose own top token their KV head evicted: at least must_reroute.
  double lost_top = 0;
};

// `top`: of one row, the query token's before eviction ([1, layers, q_heads], -1 = none), else 0
// steps, which yield an empty list.  [layers], null where no head has a top token.
// Errors: InvalidArgument if `top` has other layers than `keep`, more than one step, a length that
// does not match, query heads that the KV heads do not divide, or an id outside [-1, tokens).
absl::StatusOr<std::vector<std::optional<LayerReroute>>> MeasureReroute(const TopTokens& top,
                                                                        const KeepBits& keep);

}  // namespace kvscope::metrics
