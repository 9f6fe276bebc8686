#include "services/inference/engine/task.h"

#include <numeric>
#include <span>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/inference/engine/state.h"
#include "services/inference/tokenizer/unicode.h"
#include "services/status_macros.h"

namespace kvscope::inference {
namespace {

absl::Status CheckProbeLayers(std::span<const int> probed, int layers) {
  for (size_t i = 0; i < probed.size(); ++i) {
    if (probed[i] < 0 || probed[i] > layers) {
      return absl::InvalidArgumentError(absl::StrCat(
          "probe layer ", probed[i], ": the model's are 0 (the embeddings) to ", layers));
    }
    if (i == 0 || probed[i - 1] < probed[i]) continue;
    return absl::InvalidArgumentError(absl::StrCat("probe layer ", probed[i], " follows layer ",
                                                   probed[i - 1], "; they must ascend"));
  }
  return absl::OkStatus();
}

absl::Status CheckGrid(const Grid& grid, const Passage& passage) {
  if (passage.questions.empty()) return absl::InvalidArgumentError("the passage has no questions");
  if (grid.presses.empty()) return absl::InvalidArgumentError("the grid has no presses");
  if (grid.ratios.empty()) return absl::InvalidArgumentError("the grid has no ratios");
  for (const double ratio : grid.ratios) {
    if (ratio >= 0 && ratio < 1) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("compression ratio ", ratio, " is not in [0, 1)"));
  }
  if (grid.max_new_tokens >= 1) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("max_new_tokens is ", grid.max_new_tokens, "; it must be at least 1"));
}

// A tokenizer with added tokens may know more ids than the model has embeddings.
absl::Status CheckIds(std::span<const int32_t> ids, int vocab_size) {
  for (const int32_t id : ids) {
    if (id < vocab_size) continue;
    return absl::InvalidArgumentError(absl::StrCat("the tokenizer gives token id ", id,
                                                   "; the model's vocab_size is ", vocab_size));
  }
  return absl::OkStatus();
}

absl::Status CheckEvidence(std::span<const Question> questions, std::string_view passage) {
  const auto characters = static_cast<int64_t>(CountCodePoints(passage));
  for (size_t q = 0; q < questions.size(); ++q) {
    for (const CharRange& span : questions[q].evidence) {
      if (span.begin >= 0 && span.begin < span.end && span.end <= characters) continue;
      return absl::InvalidArgumentError(
          absl::StrCat("question ", q + 1, " has evidence [", span.begin, ", ", span.end,
                       "), which must hold a character and end within the passage's ", characters));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckTask(const Task& task, const Engine::State& state, int max_new_tokens) {
  if (task.context.ids.empty()) return absl::InvalidArgumentError("the context has no tokens");
  KVSCOPE_RETURN_IF_ERROR(CheckIds(task.context.ids, state.config.vocab_size));
  const int window = state.info.context_window;
  for (size_t i = 0; i < task.asked.size(); ++i) {
    const size_t context = task.context.ids.size();
    const size_t suffix = task.suffixes[i].size();
    if (suffix == 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("question ", task.asked[i] + 1, " has no tokens"));
    }
    KVSCOPE_RETURN_IF_ERROR(CheckIds(task.suffixes[i], state.config.vocab_size));
    const size_t needed = context + suffix + static_cast<size_t>(max_new_tokens);
    if (needed <= static_cast<size_t>(window)) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("question ", task.asked[i] + 1, " needs ", needed, " tokens (context ",
                     context, ", question ", suffix, ", max_new_tokens ", max_new_tokens,
                     "); the model's window is ", window));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<Task>> PlanTasks(const Engine::State& state, const Grid& grid,
                                            const Passage& passage) {
  KVSCOPE_RETURN_IF_ERROR(CheckGrid(grid, passage));
  KVSCOPE_RETURN_IF_ERROR(CheckProbeLayers(grid.probe_layers, state.info.layers));
  const Prompt prompt = ChoosePieces(grid.prompt, state.pieces);
  const std::string passage_text = ToValidUtf8(passage.context);
  KVSCOPE_RETURN_IF_ERROR(CheckEvidence(passage.questions, passage_text));
  std::vector<Question> valid = passage.questions;
  for (Question& question : valid) question.question = ToValidUtf8(question.question);
  const std::span<const Question> questions = valid;
  std::vector<Task> tasks;
  const auto add = [&](std::span<const Question> listed, std::vector<int> asked) {
    Task& task = tasks.emplace_back();
    task.text = WriteContext(state.chat, prompt, listed, passage_text);
    task.context = state.tokenizer->EncodeWithOffsets(task.text.text, false);
    for (const int q : asked) {
      const std::string suffix =
          WriteSuffix(state.chat, prompt, questions[static_cast<size_t>(q)].question);
      task.suffixes.push_back(state.tokenizer->Encode(suffix, false));
    }
    task.asked = std::move(asked);
  };

  if (grid.regime == Regime::kAwareEach) {
    for (size_t q = 0; q < questions.size(); ++q) {
      add(questions.subspan(q, 1), {static_cast<int>(q)});
    }
  } else {
    std::vector<int> all(questions.size());
    std::iota(all.begin(), all.end(), 0);
    add(grid.regime == Regime::kAware ? questions : questions.first(0), std::move(all));
  }
  for (const Task& task : tasks) {
    KVSCOPE_RETURN_IF_ERROR(CheckTask(task, state, grid.max_new_tokens));
  }
  return tasks;
}

}  // namespace kvscope::inference
