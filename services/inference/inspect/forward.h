// `kvscope inspect forward`: what the model computes on given ids, as a safetensors file.
#pragma once

#include <filesystem>
#include <string>

#include "absl/status/status.h"

namespace kvscope::inference {

struct ForwardOptions {
  std::filesystem::path model_dir;
  std::filesystem::path ids_file;  // see ReadIds
  std::filesystem::path out_file;
  std::string device = "auto";
  std::string dtype = "auto";
  bool hidden = false;
  bool kv = false;
  bool attention = false;
};

// Writes `logits` [tokens, vocab]; with `hidden` also hidden.<i> [tokens, hidden], i = 0 (the
// embeddings) to layers (after the final norm); with `kv` keys.<l> and values.<l> [kv_heads,
// tokens, head_dim], keys after RoPE; with `attention` attention.<l> [q_heads, tokens, tokens]. All
// float32. Errors: those of LoadModel, ReadIds, Prefill and WriteSafetensors.
absl::Status InspectForward(const ForwardOptions& options);

}  // namespace kvscope::inference
