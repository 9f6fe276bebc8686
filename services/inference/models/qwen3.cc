// qwen3: Llama's block with an RMSNorm over every query and key head, before the rotation.
// Source: arXiv:2505.09388.
#include <utility>

#include "services/inference/models/family.h"

namespace kvscope::inference {
namespace {

absl::Status ReadLayer(const WeightReader& reader, int layer, LayerWeights& weights) {
  if (absl::Status status = ReadBlock(reader, layer, weights); !status.ok()) return status;
  const int head_dim = reader.config.head_dim;
  absl::StatusOr<Tensor> q = reader.Norm(LayerName(layer, "self_attn.q_norm"), head_dim);
  if (!q.ok()) return q.status();
  absl::StatusOr<Tensor> k = reader.Norm(LayerName(layer, "self_attn.k_norm"), head_dim);
  if (!k.ok()) return k.status();
  weights.q_norm = *std::move(q);
  weights.k_norm = *std::move(k);
  return absl::OkStatus();
}

}  // namespace

extern const ModelFamily kQwen3;
const ModelFamily kQwen3 = {
    .model_type = "qwen3",
    .summary = "Qwen3: Llama's block with an RMSNorm over every query and key head.",
    .source = "arXiv:2505.09388",
    .read_layer = ReadLayer,
};

}  // namespace kvscope::inference
