// Messages to the engine's structs and back: the one place that knows both.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kvscope/v1/inference.pb.h"
#include "kvscope/v1/survival.pb.h"
#include "kvscope/v1/sweep.pb.h"
#include "services/inference/engine/engine.h"
#include "services/inference/engine/evaluate.h"
#include "services/inference/flow/record.h"

namespace kvscope::inference {

// What a unit and a sweep both say of the grid.
struct GridSpec {
  v1::Regime regime = v1::REGIME_UNSPECIFIED;
  const v1::Prompt* prompt = nullptr;
  const google::protobuf::RepeatedPtrField<std::string>* presses = nullptr;
  const google::protobuf::RepeatedField<double>* ratios = nullptr;
  int max_new_tokens = 0;
  const v1::Capture* capture = nullptr;
  uint64_t seed = 0;
};

GridSpec GridOf(const v1::Unit& unit);
GridSpec GridOf(const v1::SweepSpec& spec, v1::Regime regime);

// Errors: InvalidArgument naming the field (an unknown regime, a press that does not parse, a ratio
// outside [0, 1), an empty list, max_new_tokens below 1).
absl::StatusOr<Grid> ToGrid(const GridSpec& spec);

// InvalidArgument if the grid asks for the hidden states of a layer that the model does not have.
absl::Status CheckProbeLayers(const Grid& grid, const EngineInfo& info);

Passage ToPassage(const v1::Passage& passage);

// Errors: InvalidArgument naming the field (a threshold out of range or order). Phrases are the
// metrics service's to judge.
absl::Status CheckScoring(const v1::Scoring& scoring);

EngineOptions ToEngineOptions(const std::string& device, const std::string& dtype,
                              const v1::Scoring& scoring);

// The device for that of a unit or sweep, on a worker of the device `own`: "cuda:1" for "cuda".
std::string OwnDevice(const std::string& device, const std::string& own);

// `name` is how the sweep calls the model.
v1::ModelInfo ToModelInfo(const EngineInfo& info, const std::string& name);

// The survival records of one passage in the order that survival.proto asks for, none over 1 MiB.
// `passage` holds the texts of `record`'s questions. Stops at the first error of `send`.
absl::Status SendPassage(const PassageRecord& record, const v1::Passage& passage, int passage_index,
                         const std::function<absl::Status(const v1::SurvivalRecord&)>& send);

// Without metrics.
v1::CellResult ToCellResult(const CellRecord& cell, int passage_index, int context_tokens);
v1::AnswerResult ToAnswerResult(const CellRecord& cell, const StreamRecord& stream,
                                int passage_index);

// `record` has context_tokens. Errors: InvalidArgument if the heat map exceeds kMaxHeatmapBytes.
inline constexpr int64_t kMaxHeatmapBytes = 3 << 20;
absl::StatusOr<v1::Heatmap> ToHeatmap(const PassageRecord& record, const CellRecord& cell,
                                      const v1::Passage& passage, int passage_index);

}  // namespace kvscope::inference
