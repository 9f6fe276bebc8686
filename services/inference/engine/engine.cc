#include "services/inference/engine/engine.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "services/inference/checkpoint/config.h"
#include "services/inference/checkpoint/digest.h"
#include "services/inference/engine/prompt.h"
#include "services/inference/engine/state.h"
#include "services/inference/ops/backends.h"
#include "services/status_macros.h"

namespace kvscope::inference {
Engine::Engine(std::unique_ptr<State> state) : state_(std::move(state)) {}
Engine::~Engine() = default;
const EngineInfo& Engine::info() const { return state_->info; }
std::optional<DeviceMemoryState> Engine::memory() const {
  return state_->model == nullptr ? std::nullopt : state_->model->ops->memory();
}

absl::StatusOr<std::unique_ptr<Engine>> Engine::Load(const std::string& model_dir,
                                                     const EngineOptions& options, bool info_only) {
  auto state = std::make_unique<State>();
  KVSCOPE_ASSIGN_OR_RETURN(const ModelConfig config, ReadModelConfig(model_dir));
  KVSCOPE_ASSIGN_OR_RETURN(state->tokenizer, Tokenizer::Load(model_dir));
  KVSCOPE_ASSIGN_OR_RETURN(state->chat, SplitChat(*state->tokenizer));
  KVSCOPE_ASSIGN_OR_RETURN(state->pieces, ReadModelPieces(model_dir));
  if (!options.scoring_tokenizer.empty() && options.scoring_tokenizer != "model") {
    auto scoring = Tokenizer::Load(options.scoring_tokenizer);
    if (!scoring.ok()) {
      return absl::Status(scoring.status().code(),
                          absl::StrCat("score.tokenizer: ", scoring.status().message()));
    }
    state->scoring_tokenizer = *std::move(scoring);
  }
  state->end_tokens = state->tokenizer->eos_ids();

  EngineInfo& info = state->info;
  info.model_dir = model_dir;
  info.tokenizer_digest = state->tokenizer->digest();
  if (state->scoring_tokenizer != nullptr) {
    info.scoring_tokenizer_digest = state->scoring_tokenizer->digest();
  }
  info.model_type = config.model_type;
  info.layers = config.layers;
  info.hidden_size = config.hidden_size;
  info.q_heads = config.q_heads;
  info.kv_heads = config.kv_heads;
  info.head_dim = config.head_dim;
  info.context_window = static_cast<int>(config.max_positions);
  info.parameter_count = ParameterCount(config);
  if (info_only) {
    const absl::StatusOr<std::unique_ptr<Ops>> ops = MakeOps(options.device);
    if (!ops.ok() && !absl::IsUnavailable(ops.status())) return ops.status();
    info.device = std::string(ops.ok() ? (*ops)->name() : DeviceKind(options.device));
    KVSCOPE_ASSIGN_OR_RETURN(state->compute, ComputeDType(options.dtype, info.device, config));
  } else {
    KVSCOPE_ASSIGN_OR_RETURN(state->model, LoadModel(model_dir, options.device, options.dtype));
    KVSCOPE_ASSIGN_OR_RETURN(info.weights_digest, WeightsDigest(model_dir));
    info.device = std::string(state->model->ops->name());
    state->compute = state->model->compute;
    state->workspace = std::make_unique<Workspace>(*state->model->ops, config);
  }
  info.dtype = DTypeName(state->compute);
  state->config = config;
  return std::unique_ptr<Engine>(new Engine(std::move(state)));
}

}  // namespace kvscope::inference
