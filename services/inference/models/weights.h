// The weights of a decoder, packed by a backend, and how a family's file reads them.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "services/inference/checkpoint/checkpoint.h"
#include "services/inference/checkpoint/config.h"
#include "services/inference/ops/ops.h"

namespace kvscope::inference {

struct LayerWeights {
  Tensor input_norm, post_attention_norm;  // [hidden]
  Tensor q_norm, k_norm;                   // [head_dim], or empty
  std::unique_ptr<PackedLinear> qkv;       // hidden → (q_heads + 2 kv_heads) · head_dim
  std::unique_ptr<PackedLinear> o;         // q_heads · head_dim → hidden
  std::unique_ptr<PackedLinear> gate_up;   // hidden → 2 · intermediate
  std::unique_ptr<PackedLinear> down;      // intermediate → hidden
};

struct ModelWeights {
  Tensor embedding;  // [vocab, hidden], as stored
  std::vector<LayerWeights> layers;
  Tensor final_norm;                      // [hidden]
  std::unique_ptr<PackedLinear> lm_head;  // hidden → vocab
};

// Reads tensors of one checkpoint into one backend's memory. Errors name the file, the tensor, and
// the shape that was found and the one that is expected.
class WeightReader {
 public:
  WeightReader(const Checkpoint& checkpoint, const ModelConfig& config, Ops& ops, DType compute)
      : config(config), checkpoint_(checkpoint), ops_(ops), compute_(compute) {}

  struct Part {
    std::string name;  // without ".weight" / ".bias"
    int64_t out;
  };
  // Several linear layers of one input as one, their outputs side by side.
  absl::StatusOr<std::unique_ptr<PackedLinear>> Linear(const std::vector<Part>& parts, int64_t in,
                                                       bool bias) const;
  absl::StatusOr<Tensor> Norm(std::string_view name, int64_t width) const;  // float32
  absl::StatusOr<Tensor> Embedding(std::string_view name) const;            // float32 or bfloat16
  bool Has(std::string_view name) const { return checkpoint_.Has(name); }

  const ModelConfig& config;

 private:
  absl::StatusOr<Tensor> Joined(const std::vector<Part>& parts, std::string_view suffix,
                                std::vector<int64_t> tail) const;

  const Checkpoint& checkpoint_;
  Ops& ops_;
  DType compute_;
};

// Everything but the layers: `model.embed_tokens`, `model.norm` and `lm_head` (or the embeddings).
absl::Status ReadOuterWeights(const WeightReader& reader, ModelWeights& weights);
// The pre-norm block under the names that Llama and its relatives use, with the biases that the
// config asks for.
absl::Status ReadBlock(const WeightReader& reader, int layer, LayerWeights& weights);
// "model.layers.3.self_attn.q_norm" and the like.
std::string LayerName(int layer, std::string_view name);

}  // namespace kvscope::inference
