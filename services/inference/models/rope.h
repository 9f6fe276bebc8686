// The rotation frequencies of a model.
#pragma once

#include "services/inference/checkpoint/config.h"
#include "services/inference/flow/capture.h"

namespace kvscope::inference {

// inv_freq[i] = theta^(-2i / head_dim) in float32, as transformers computes it. "linear" divides
// all by `factor`; "llama3" divides the slow ones, leaves the fast ones and blends between them.
// Source: transformers' modeling_rope_utils.
RopeParameters MakeRope(const RopeConfig& config, int head_dim);

}  // namespace kvscope::inference
