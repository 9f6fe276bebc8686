// ModelConfig: what a model directory's config.json says of the model's shape.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "services/inference/tensor/tensor.h"

namespace kvscope::inference {

// Rotary embedding. `kind` is "default", "linear" or "llama3"; the factors are llama3's, `factor`
// also linear's.
struct RopeConfig {
  std::string kind = "default";
  double theta = 10000.0;
  double factor = 1.0;
  double low_freq_factor = 1.0;
  double high_freq_factor = 4.0;
  int64_t original_max_positions = 0;
};

struct ModelConfig {
  std::string model_type;  // "llama", "mistral", "qwen2", "qwen3"
  int vocab_size = 0;
  int hidden_size = 0;
  int intermediate_size = 0;
  int layers = 0;
  int q_heads = 0;
  int kv_heads = 0;
  int head_dim = 0;
  int64_t max_positions = 0;
  float rms_norm_eps = 1e-6f;
  bool tie_word_embeddings = false;
  bool attention_bias = false;         // biases of q, k and v
  bool attention_output_bias = false;  // bias of o
  bool mlp_bias = false;
  bool qk_norm = false;  // RMSNorm over head_dim of queries and keys, before RoPE
  RopeConfig rope;
  DType dtype = DType::kFloat32;  // of the weights; float32 if the file does not say

  int group() const { return q_heads / kv_heads; }
};

// Model types that have a decoder here.
const std::vector<std::string_view>& SupportedModelTypes();

// Reads DIR/config.json in the style of transformers 4 (`rope_theta`, `rope_scaling`,
// `torch_dtype`) or 5 (`rope_parameters`, `dtype`); defaults are transformers'. Errors: NotFound,
// or InvalidArgument / Unimplemented that names the file, the field, what was found and what is
// allowed (sliding windows in use, quantised weights, other activations and model types).
absl::StatusOr<ModelConfig> ReadModelConfig(const std::filesystem::path& directory);
// The same of a text; `file` is for messages.
absl::StatusOr<ModelConfig> ParseModelConfig(std::string_view text, const std::string& file);

struct GenerationConfig {
  std::vector<int32_t> eos_ids;  // generation stops at any of them; may be empty
};

// The eos ids of DIR/generation_config.json, or of config.json where that file is absent or silent.
absl::StatusOr<GenerationConfig> ReadGenerationConfig(const std::filesystem::path& directory);

}  // namespace kvscope::inference
