#include "services/inference/models/load.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/inference/checkpoint/checkpoint.h"
#include "services/inference/models/family.h"
#include "services/inference/models/rope.h"
#include "services/inference/ops/backends.h"
#include "services/inference/ops/device_error.h"

namespace kvscope::inference {

int64_t ParameterCount(const ModelConfig& config) {
  const int64_t hidden = config.hidden_size, inner = config.intermediate_size;
  const int64_t heads = config.q_heads + int64_t{2} * config.kv_heads;
  const int64_t q_width = int64_t{config.q_heads} * config.head_dim;
  int64_t layer =
      hidden * heads * config.head_dim + q_width * hidden + 3 * hidden * inner + 2 * hidden;
  if (config.attention_bias) layer += heads * config.head_dim;
  if (config.attention_output_bias) layer += hidden;
  if (config.mlp_bias) layer += 2 * inner + hidden;
  if (config.qk_norm) layer += 2 * config.head_dim;
  const int64_t tables = config.tie_word_embeddings ? 1 : 2;
  return config.layers * layer + tables * hidden * config.vocab_size + hidden;
}

absl::StatusOr<DType> ComputeDType(std::string_view dtype, std::string_view device,
                                   const ModelConfig& config) {
  if (dtype == "float32") return DType::kFloat32;
  if (dtype == "bfloat16") return DType::kBFloat16;
  if (dtype == "auto") {
    const bool on_host = device == "cpu" || device == "reference";
    return on_host || config.dtype == DType::kFloat32 ? DType::kFloat32 : DType::kBFloat16;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("dtype is '", std::string(dtype), "'; auto, float32 or bfloat16 is needed"));
}

namespace {

absl::StatusOr<std::unique_ptr<LoadedModel>> Load(const std::filesystem::path& directory,
                                                  std::string_view device, std::string_view dtype) {
  auto model = std::make_unique<LoadedModel>();
  model->directory = directory;
  absl::StatusOr<ModelConfig> config = ReadModelConfig(directory);
  if (!config.ok()) return config.status();
  model->config = *std::move(config);
  absl::StatusOr<GenerationConfig> generation = ReadGenerationConfig(directory);
  if (!generation.ok()) return generation.status();
  model->generation = *std::move(generation);
  absl::StatusOr<std::unique_ptr<Ops>> ops = MakeOps(device);
  if (!ops.ok()) return ops.status();
  model->ops = *std::move(ops);
  absl::StatusOr<DType> compute = ComputeDType(dtype, model->ops->name(), model->config);
  if (!compute.ok()) return compute.status();
  model->compute = *compute;
  if (model->config.head_dim > model->ops->most_head_dim()) {
    return absl::InvalidArgumentError(
        absl::StrCat((directory / "config.json").string(), ": head_dim is ", model->config.head_dim,
                     "; the device ", std::string(model->ops->name()),
                     " computes attention of heads up to ", model->ops->most_head_dim()));
  }
  absl::StatusOr<Checkpoint> checkpoint = Checkpoint::Open(directory);
  if (!checkpoint.ok()) return checkpoint.status();

  const ModelFamily* family = FindModelFamily(model->config.model_type);
  if (family == nullptr) {
    return absl::InternalError(
        absl::StrCat("model type '", model->config.model_type, "' has a config but no family"));
  }
  const WeightReader reader(*checkpoint, model->config, *model->ops, model->compute);
  ModelWeights weights;
  if (absl::Status status = ReadOuterWeights(reader, weights); !status.ok()) return status;
  checkpoint->ReleasePages();  // what is packed is not held twice
  for (int layer = 0; layer < model->config.layers; ++layer) {
    absl::Status status = family->read_layer(reader, layer, weights.layers.emplace_back());
    if (!status.ok()) return status;
    checkpoint->ReleasePages();
  }
  model->decoder =
      std::make_unique<Decoder>(model->config, MakeRope(model->config.rope, model->config.head_dim),
                                std::move(weights), *model->ops);
  return model;
}

}  // namespace

absl::StatusOr<std::unique_ptr<LoadedModel>> LoadModel(const std::filesystem::path& directory,
                                                       std::string_view device,
                                                       std::string_view dtype) {
  return CatchDeviceErrors([&] { return Load(directory, device, dtype); });
}

}  // namespace kvscope::inference
