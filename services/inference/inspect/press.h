// `kvscope inspect press`: what a press scores, keeps and answers, from token ids, for comparison
// with another implementation.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/inference/flow/keep_set.h"
#include "services/inference/flow/score_table.h"
#include "services/inference/models/load.h"
#include "services/inference/presses/press.h"

namespace kvscope::inference {

struct PressOptions {
  std::filesystem::path model_dir;
  std::filesystem::path ids_file;           // the context; see ReadIds
  std::filesystem::path question_ids_file;  // empty: nothing is decoded
  std::filesystem::path out_file;
  std::string press;  // see ParsePress
  uint64_t seed = 0;
  std::vector<double> ratios;
  int max_new_tokens = 16;
  std::string device = "auto";
  std::string dtype = "auto";
};

// Writes `scores` [layers, kv_heads, tokens] f32, `kept.<ratio>` [layers, kv_heads, tokens] u8,
// `answer.<ratio>` [n] i32 and `answer_logits.<ratio>` [n, vocab] f32; the ratio with two decimals.
// Errors: those of LoadModel, ReadIds, ParsePress, ViewPress and WriteSafetensors; InvalidArgument
// where two ratios share a name.
absl::Status InspectPress(const PressOptions& options);

struct PressInspection {
  std::vector<int32_t> context_ids;
  Press press;
  std::vector<double> ratios;
  std::vector<int32_t> question_ids;  // empty: nothing is decoded
  int max_new_tokens = 16;            // always so many: end tokens do not end the answer
};

struct PressView {
  ScoreTable scores;  // of the press's scorer
  struct Cell {
    double ratio = 0;
    KeepSet kept;
    std::vector<int32_t> answer;
    std::vector<float> answer_logits;  // [answer, vocab] that each token was chosen from
  };
  std::vector<Cell> cells;  // in the order of the ratios
};

// Errors: InvalidArgument (no ids, an id outside the vocabulary, a ratio outside [0, 1), more
// tokens than the model's window, a context too short for the press).
absl::StatusOr<PressView> ViewPress(const LoadedModel& model, const PressInspection& inspection);

}  // namespace kvscope::inference
