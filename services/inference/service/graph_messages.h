// The token-attention graph of a passage as messages.
#pragma once

#include <functional>

#include "absl/status/status.h"
#include "kvscope/v1/survival.pb.h"
#include "services/inference/flow/record.h"

namespace kvscope::inference {

// The GraphRecords of a graph, none over 1 MiB: the context's rows layer by layer, then those of
// each question; one with `too_large` where there are no edges to send. Stops at the first error
// of `send`.
absl::Status SendGraph(const TokenGraph& graph,
                       const std::function<absl::Status(const v1::SurvivalRecord&)>& send);

}  // namespace kvscope::inference
