// LoadModel: a model directory, ready to run on one device (without its tokenizer).
#pragma once

#include <filesystem>
#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "services/inference/checkpoint/config.h"
#include "services/inference/models/decoder.h"
#include "services/inference/ops/ops.h"

namespace kvscope::inference {

struct LoadedModel {
  std::filesystem::path directory;
  ModelConfig config;
  GenerationConfig generation;
  DType compute = DType::kFloat32;  // kFloat32 or kBFloat16
  std::unique_ptr<Ops> ops;
  std::unique_ptr<Decoder> decoder;
};

// `device`: see MakeOps; `dtype`: see ComputeDType. Errors: as MakeOps, ReadModelConfig and
// Checkpoint; InvalidArgument for a tensor of another shape than the config's.
absl::StatusOr<std::unique_ptr<LoadedModel>> LoadModel(const std::filesystem::path& directory,
                                                       std::string_view device,
                                                       std::string_view dtype);

// "float32", "bfloat16", or "auto": float32 on the host's processor, and the checkpoint's own width
// on other devices (`device` is Ops::name()).
absl::StatusOr<DType> ComputeDType(std::string_view dtype, std::string_view device,
                                   const ModelConfig& config);

// Weights of the decoder, embeddings included (tied ones once).
int64_t ParameterCount(const ModelConfig& config);

}  // namespace kvscope::inference
