// What an Engine holds.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "services/inference/checkpoint/config.h"
#include "services/inference/engine/engine.h"
#include "services/inference/models/load.h"
#include "services/inference/models/workspace.h"
#include "services/inference/tokenizer/chat_template.h"
#include "services/inference/tokenizer/tokenizer.h"

namespace kvscope::inference {

struct Engine::State {
  EngineInfo info;
  ModelConfig config;
  DType compute = DType::kFloat32;  // of products
  PromptPieces pieces;              // of the model directory
  ChatPieces chat;
  std::vector<int32_t> end_tokens;  // ascending
  std::unique_ptr<Tokenizer> tokenizer;
  std::unique_ptr<Tokenizer> scoring_tokenizer;  // null: the model's own
  std::unique_ptr<LoadedModel> model;            // null: the engine was loaded for its facts only
  std::unique_ptr<Workspace> workspace;          // as model
  std::mutex busy;                               // held while the model works

  const Tokenizer& scoring() const { return scoring_tokenizer ? *scoring_tokenizer : *tokenizer; }
};

}  // namespace kvscope::inference
