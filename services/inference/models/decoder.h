// Decoder: the pre-norm transformer that all families share, one step of rows at a time.
//
//   Embed → for each layer { Qkv → attention by the caller → Finish } → Logits
//
// The caller attends: over the context that it fills (prefill, CausalAttention), or over a shared
// context and its streams' suffixes (decoding, Grid). Everything else of a layer is here.
#pragma once

#include <cstdint>
#include <span>

#include "services/inference/checkpoint/config.h"
#include "services/inference/flow/capture.h"
#include "services/inference/models/weights.h"
#include "services/inference/models/workspace.h"
#include "services/inference/ops/ops.h"

namespace kvscope::inference {

class Decoder {
 public:
  // `ops` made the weights and must outlive the decoder.
  Decoder(ModelConfig config, RopeParameters rope, ModelWeights weights, Ops& ops);

  const ModelConfig& config() const { return config_; }
  const RopeParameters& rope() const { return rope_; }
  Ops& ops() const { return ops_; }

  // x [ids.size(), hidden] = their embeddings. Ids are below vocab_size.
  void Embed(std::span<const int32_t> ids, const Tensor& x) const;
  // ws.x → ws.q, ws.k (both after RoPE at `positions`), ws.v, and ws.q_before_rope where it is
  // used.
  void Qkv(int layer, std::span<const int32_t> positions, Workspace& ws) const;
  // ws.x += o_proj(ws.attention); ws.x += mlp(norm(ws.x)).
  void Finish(int layer, Workspace& ws) const;
  // The final norm of the given rows of x: [rows.size(), hidden]; valid until the next call.
  Tensor FinalNorm(const Tensor& x, std::span<const int32_t> rows, Workspace& ws) const;
  // Logits of the given rows of x: [rows.size(), vocab]; valid until the next call.
  Tensor Logits(const Tensor& x, std::span<const int32_t> rows, Workspace& ws) const;

 private:
  // y = linear(x), added to ws.products.
  void Multiply(const PackedLinear& linear, const Tensor& x, const Tensor& y, Workspace& ws) const;

  ModelConfig config_;
  RopeParameters rope_;
  ModelWeights weights_;
  Ops& ops_;
};

}  // namespace kvscope::inference
