#include "services/inference/models/weights.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace kvscope::inference {
namespace {

// value = expression, or return its error.
template <typename T>
absl::Status Take(absl::StatusOr<T> from, T& to) {
  if (!from.ok()) return from.status();
  to = *std::move(from);
  return absl::OkStatus();
}

Tensor Widened(const Tensor& tensor) {
  if (tensor.dtype() == DType::kFloat32) return tensor;
  Tensor wide = AllocateHost(DType::kFloat32, tensor.shape());
  CopyToFloat(tensor, tensor.size(), wide.f32());
  return wide;
}

}  // namespace

absl::StatusOr<Tensor> WeightReader::Joined(const std::vector<Part>& parts, std::string_view suffix,
                                            std::vector<int64_t> tail) const {
  std::vector<Tensor> tensors;
  int64_t out = 0;
  bool same_dtype = true;
  for (const Part& part : parts) {
    std::vector<int64_t> shape = {part.out};
    shape.insert(shape.end(), tail.begin(), tail.end());
    absl::StatusOr<Tensor> tensor =
        checkpoint_.GetWeight(part.name + std::string(suffix), std::span<const int64_t>(shape));
    if (!tensor.ok()) return tensor.status();
    tensors.push_back(*std::move(tensor));
    same_dtype = same_dtype && tensors.back().dtype() == tensors[0].dtype();
    out += part.out;
  }
  if (tensors.size() == 1) return tensors[0];
  std::vector<int64_t> shape = {out};
  shape.insert(shape.end(), tail.begin(), tail.end());
  Tensor joined = AllocateHost(same_dtype ? tensors[0].dtype() : DType::kFloat32, shape);
  int64_t row = 0;
  for (const Tensor& tensor : tensors) {
    const Tensor part = same_dtype ? tensor : Widened(tensor);
    std::memcpy(joined.Slice(row, tensor.dim(0)).data(), part.data(), part.size_bytes());
    row += tensor.dim(0);
  }
  return joined;
}

absl::StatusOr<std::unique_ptr<PackedLinear>> WeightReader::Linear(const std::vector<Part>& parts,
                                                                   int64_t in, bool bias) const {
  absl::StatusOr<Tensor> weight = Joined(parts, ".weight", {in});
  if (!weight.ok()) return weight.status();
  Tensor joined_bias;
  if (bias) {
    if (absl::Status status = Take(Joined(parts, ".bias", {}), joined_bias); !status.ok()) {
      return status;
    }
  }
  return ops_.Pack(*weight, joined_bias, compute_);
}

absl::StatusOr<Tensor> WeightReader::Norm(std::string_view name, int64_t width) const {
  const int64_t shape[] = {width};
  absl::StatusOr<Tensor> weight = checkpoint_.GetWeight(absl::StrCat(std::string(name), ".weight"),
                                                        std::span<const int64_t>(shape));
  if (!weight.ok()) return weight.status();
  return ops_.Upload(Widened(*weight));
}

absl::StatusOr<Tensor> WeightReader::Embedding(std::string_view name) const {
  const int64_t shape[] = {config.vocab_size, config.hidden_size};
  absl::StatusOr<Tensor> table = checkpoint_.GetWeight(absl::StrCat(std::string(name), ".weight"),
                                                       std::span<const int64_t>(shape));
  if (!table.ok()) return table.status();
  return ops_.Upload(table->dtype() == DType::kFloat16 ? Widened(*table) : *table);
}

std::string LayerName(int layer, std::string_view name) {
  return absl::StrCat("model.layers.", layer, ".", std::string(name));
}

absl::Status ReadOuterWeights(const WeightReader& reader, ModelWeights& weights) {
  const ModelConfig& config = reader.config;
  absl::Status status = Take(reader.Embedding("model.embed_tokens"), weights.embedding);
  if (status.ok()) status = Take(reader.Norm("model.norm", config.hidden_size), weights.final_norm);
  if (!status.ok()) return status;
  const char* head = config.tie_word_embeddings ? "model.embed_tokens" : "lm_head";
  return Take(reader.Linear({{head, config.vocab_size}}, config.hidden_size, false),
              weights.lm_head);
}

absl::Status ReadBlock(const WeightReader& reader, int layer, LayerWeights& weights) {
  const ModelConfig& config = reader.config;
  const int64_t hidden = config.hidden_size, inner = config.intermediate_size;
  const int64_t q_width = int64_t{config.q_heads} * config.head_dim;
  const int64_t kv_width = int64_t{config.kv_heads} * config.head_dim;
  const auto name = [&](std::string_view part) { return LayerName(layer, part); };

  absl::Status status = Take(reader.Norm(name("input_layernorm"), hidden), weights.input_norm);
  if (status.ok()) {
    status =
        Take(reader.Norm(name("post_attention_layernorm"), hidden), weights.post_attention_norm);
  }
  if (status.ok()) {
    status = Take(reader.Linear({{name("self_attn.q_proj"), q_width},
                                 {name("self_attn.k_proj"), kv_width},
                                 {name("self_attn.v_proj"), kv_width}},
                                hidden, config.attention_bias),
                  weights.qkv);
  }
  if (status.ok()) {
    status = Take(
        reader.Linear({{name("self_attn.o_proj"), hidden}}, q_width, config.attention_output_bias),
        weights.o);
  }
  if (status.ok()) {
    status = Take(reader.Linear({{name("mlp.gate_proj"), inner}, {name("mlp.up_proj"), inner}},
                                hidden, config.mlp_bias),
                  weights.gate_up);
  }
  if (status.ok()) {
    status = Take(reader.Linear({{name("mlp.down_proj"), hidden}}, inner, config.mlp_bias),
                  weights.down);
  }
  return status;
}

}  // namespace kvscope::inference
