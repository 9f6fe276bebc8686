#include "services/inference/models/decoder.h"

#include <algorithm>
#include <utility>

namespace kvscope::inference {

Decoder::Decoder(ModelConfig config, RopeParameters rope, ModelWeights weights, Ops& ops)
    : config_(std::move(config)), rope_(std::move(rope)), weights_(std::move(weights)), ops_(ops) {}

void Decoder::Multiply(const PackedLinear& linear, const Tensor& x, const Tensor& y,
                       Workspace& ws) const {
  ops_.Linear(linear, x, y);
  const int64_t weights = linear.in_features * linear.out_features;
  ws.products.operations += 2 * x.dim(0) * weights;
  ws.products.weights_read += weights;
}

void Decoder::Embed(std::span<const int32_t> ids, const Tensor& x) const {
  ops_.Embed(weights_.embedding, ids, x);
}

void Decoder::Qkv(int layer, std::span<const int32_t> positions, Workspace& ws) const {
  const LayerWeights& weights = weights_.layers[static_cast<size_t>(layer)];
  const int64_t dim = config_.head_dim;
  const int64_t q_width = config_.q_heads * dim, kv_width = config_.kv_heads * dim;
  for (int64_t begin = 0; begin < ws.rows(); begin += Workspace::kPieceRows) {
    const int64_t count = std::min(Workspace::kPieceRows, ws.rows() - begin);
    const Tensor normed = ws.normed.Slice(0, count);
    ops_.RmsNorm(ws.x.Slice(begin, count), weights.input_norm, config_.rms_norm_eps, normed);
    const Tensor fused = ws.fused.Reshaped({count, q_width + 2 * kv_width});
    Multiply(*weights.qkv, normed, fused, ws);
    ops_.Columns(fused, 0, ws.q.Slice(begin, count));
    ops_.Columns(fused, q_width, ws.k.Slice(begin, count));
    ops_.Columns(fused, q_width + kv_width, ws.v.Slice(begin, count));
  }
  if (!weights.q_norm.empty()) ops_.RmsNorm(ws.q, weights.q_norm, config_.rms_norm_eps, ws.q);
  if (!weights.k_norm.empty()) ops_.RmsNorm(ws.k, weights.k_norm, config_.rms_norm_eps, ws.k);
  if (!ws.q_before_rope.empty()) ops_.Columns(ws.q, 0, ws.q_before_rope);
  ops_.Rope(ws.q, positions, rope_.inv_freq, rope_.scale);
  ops_.Rope(ws.k, positions, rope_.inv_freq, rope_.scale);
}

void Decoder::Finish(int layer, Workspace& ws) const {
  const LayerWeights& weights = weights_.layers[static_cast<size_t>(layer)];
  for (int64_t begin = 0; begin < ws.rows(); begin += Workspace::kPieceRows) {
    const int64_t count = std::min(Workspace::kPieceRows, ws.rows() - begin);
    const Tensor x = ws.x.Slice(begin, count), normed = ws.normed.Slice(0, count);
    const Tensor proj = ws.proj.Slice(0, count), act = ws.act.Slice(0, count);
    Multiply(*weights.o, ws.attention.Slice(begin, count), proj, ws);
    ops_.AddRmsNorm(x, proj, weights.post_attention_norm, config_.rms_norm_eps, normed);
    const Tensor fused = ws.fused.Reshaped({count, int64_t{2} * config_.intermediate_size});
    Multiply(*weights.gate_up, normed, fused, ws);
    ops_.SwiGlu(fused, act);
    Multiply(*weights.down, act, proj, ws);
    ops_.Add(x, proj);
  }
}

Tensor Decoder::FinalNorm(const Tensor& x, std::span<const int32_t> rows, Workspace& ws) const {
  Tensor hidden = ws.Hidden(static_cast<int64_t>(rows.size()));
  ops_.Rows(x, rows, hidden);
  ops_.RmsNorm(hidden, weights_.final_norm, config_.rms_norm_eps, hidden);
  return hidden;
}

Tensor Decoder::Logits(const Tensor& x, std::span<const int32_t> rows, Workspace& ws) const {
  const Tensor hidden = FinalNorm(x, rows, ws);
  Tensor logits = ws.Logits(static_cast<int64_t>(rows.size()));
  Multiply(*weights_.lm_head, hidden, logits, ws);
  return logits;
}

}  // namespace kvscope::inference
