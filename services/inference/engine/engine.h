// Engine: a model that is ready to evaluate: weights, tokenizer, chat template, prompt defaults.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "services/inference/engine/evaluate.h"
#include "services/inference/ops/ops.h"

namespace kvscope::inference {

struct EngineOptions {
  std::string device = "auto";    // auto | cpu | reference (auto: the best backend found)
  std::string dtype = "auto";     // auto | float32 | bfloat16; auto: see LoadModel
  std::string scoring_tokenizer;  // "" or "model": the model's own; else a directory with a
                                  // tokenizer.json
};

// Facts about a loaded model, as ModelInfo of the protos has them.
struct EngineInfo {
  std::string model_dir, weights_digest, tokenizer_digest, model_type, device, dtype;
  std::string scoring_tokenizer_digest;  // empty: the model's own tokenizer scores
  int layers = 0, hidden_size = 0, q_heads = 0, kv_heads = 0, head_dim = 0, context_window = 0;
  int64_t parameter_count = 0;
};

// May be shared by threads: evaluations take turns.
class Engine {
 public:
  // Errors name the file and the field; ResourceExhausted and Aborted as EvaluatePassage.
  // `info_only` reads config and tokenizer but no weights (plan), and needs no device: then
  // `weights_digest` is empty and only MeasurePassage and PlanMemory work.
  static absl::StatusOr<std::unique_ptr<Engine>> Load(const std::string& model_dir,
                                                      const EngineOptions& options,
                                                      bool info_only = false);
  ~Engine();
  const EngineInfo& info() const;
  // Of the device; none where that is the host, and without weights.
  std::optional<DeviceMemoryState> memory() const;

  struct State;  // engine's own: model, ops, tokenizers, pieces
  State& state() const { return *state_; }

 private:
  explicit Engine(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace kvscope::inference
