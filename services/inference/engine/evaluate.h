// Evaluate: one passage, all presses, ratios and questions: prefill once, score, keep, decode as
// one batch.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/inference/flow/record.h"
#include "services/inference/presses/press.h"
#include "services/inference/tokenizer/tokenizer.h"

namespace kvscope::inference {

class Engine;  // a loaded model with its tokenizer and prompt defaults: engine/engine.h

enum class Regime { kAgnostic, kAware, kAwareEach };

// The words around passage and question; an unset piece is the model directory's (kvscope.json),
// else the paper's.
struct PromptPieces {
  std::optional<std::string> instruction, aware_line, question_prefix, question_suffix,
      answer_prefix;
};

struct Question {
  std::string question;
  std::string answer;  // gold
  std::vector<std::string> aliases;
  // Where the passage grounds the answer, in code points of `context`: the gold answer's span where
  // it does not occur as a whole (it is gathered from several places, say).
  std::vector<CharRange> evidence = {};
};

struct Passage {
  std::string context;
  std::vector<Question> questions;
};

// What is computed on every passage of a unit.
struct Grid {
  Regime regime = Regime::kAgnostic;
  PromptPieces prompt;
  std::vector<Press> presses;
  std::vector<double> ratios;
  int max_new_tokens = 32;
  bool capture_consensus = true;
  ProbePool probe_pool = ProbePool::kNone;
  // Which of the model's layers + 1 hidden states, ascending, as transformers counts them: 0 the
  // embeddings, i the output of layer i, the last after the final norm. Empty: all of them.
  std::vector<int> probe_layers;
};

// What is recorded of one passage beside its cells.
struct PassageExtras {
  bool token_texts = false;                            // PassageRecord::context_tokens
  std::optional<double> graph_epsilon = std::nullopt;  // PassageRecord::graph; at least 0
};

// Called from the evaluating thread; must be quick.
struct EvaluateHooks {
  std::function<bool()> cancelled;                    // true: stop with kCancelled at the next step
  std::function<void(int64_t streams)> streams_done;  // streams finished since the last call
  // Memory of the device is short: decoding goes on in smaller slices (DecodeSlices). Why, in
  // words.
  std::function<void(const std::string& why)> slices_halved = {};
};

// Evaluates one passage. Emits its record (regime aware_each: one a question, in order) to `emit`,
// whose error ends the evaluation. Equal keep sets are decoded once and reported for each of their
// cells. Errors: InvalidArgument (context plus question and max_new_tokens exceed the model's
// window: says both counts; a press that refuses so short a context; evidence that is empty or
// leaves the passage; probe layers that the model has not or that do not ascend; an epsilon below
// 0), Cancelled, ResourceExhausted (the device has too little memory: both numbers; the engine
// works on), Aborted (the device has failed, and is of no use to this process any more).
absl::Status EvaluatePassage(const Engine& engine, const Grid& grid, const Passage& passage,
                             const PassageExtras& extras, const EvaluateHooks& hooks,
                             const std::function<absl::Status(PassageRecord&&)>& emit);

// What `plan` and the check before a sweep need to know of a passage, without running the model:
// tokens of the longest context in this regime and of the longest suffix. Errors as
// EvaluatePassage.
struct PassageSize {
  int context_tokens = 0;
  int suffix_tokens = 0;
  int questions = 0;  // asked of one context
};
absl::StatusOr<PassageSize> MeasurePassage(const Engine& engine, const Grid& grid,
                                           const Passage& passage);

}  // namespace kvscope::inference
