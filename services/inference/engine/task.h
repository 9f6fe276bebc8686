// Task: one context of a passage and the questions that are asked about it, as token ids.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "services/inference/engine/engine.h"
#include "services/inference/engine/evaluate.h"
#include "services/inference/engine/prompt.h"
#include "services/inference/tokenizer/tokenizer.h"

namespace kvscope::inference {

struct Task {
  ContextText text;
  OffsetEncoding context;
  std::vector<int> asked;                      // indices into the passage's questions
  std::vector<std::vector<int32_t>> suffixes;  // one for each of `asked`
};

// The contexts of a passage in the grid's regime: one, or in `aware_each` one a question, in order.
// Runs no model. Errors: InvalidArgument for a grid or passage that lacks something, a ratio
// outside [0, 1), probe layers that the model has not, evidence beyond the passage, and a context
// that with its question and max_new_tokens exceeds the model's window (says both counts).
absl::StatusOr<std::vector<Task>> PlanTasks(const Engine::State& state, const Grid& grid,
                                            const Passage& passage);

}  // namespace kvscope::inference
