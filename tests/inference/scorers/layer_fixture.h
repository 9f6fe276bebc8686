// LayerFixture: a layer written out by hand, and what a scorer makes of it.
#pragma once

#include <random>
#include <string_view>
#include <vector>

#include "services/inference/flow/capture.h"
#include "services/inference/flow/score_table.h"
#include "services/inference/scorers/scorer.h"

namespace kvscope::inference {

using Rows = std::vector<std::vector<float>>;  // [tokens][head_dim]

// Owns what its view shows. Capacity is one more than the tokens, so that a scorer that steps from
// head to head by `tokens` is caught.
struct LayerFixture {
  int tokens = 0, q_heads = 0, kv_heads = 0, head_dim = 0;
  std::vector<float> keys, values, queries;
  RopeParameters rope;

  LayerView view() const;
};

// keys and values: [kv_heads]; queries: [q_heads], before RoPE. Empty: absent.
LayerFixture MakeLayer(const std::vector<Rows>& keys, const std::vector<Rows>& values,
                       const std::vector<Rows>& queries);

// Normal random numbers everywhere, RoPE with theta 10000; the same for equal arguments.
LayerFixture RandomLayer(int tokens, int q_heads, int kv_heads, int head_dim);

// Scores [kv_heads][tokens] of a registered scorer; `given` in the order of its parameters, the
// rest by default.
std::vector<std::vector<float>> Scores(std::string_view scorer, const LayerView& layer,
                                       ParameterValues given = {});

}  // namespace kvscope::inference
