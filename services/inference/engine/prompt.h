// The prompt: the words around a passage and its questions, as two texts that are tokenised apart.
//
//   context = head + instruction + "\n" + [aware_line + "\n" + one question a line + "\n"]
//             + passage + "\n"                                     compressed
//   suffix  = question_prefix + question + question_suffix + tail + answer_prefix
//
// Head and tail already hold the special tokens as text (the BOS among them), so neither text gets
// any added when it is tokenised.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "services/inference/engine/evaluate.h"
#include "services/inference/tokenizer/chat_template.h"

namespace kvscope::inference {

// Every piece decided.
struct Prompt {
  std::string instruction, aware_line, question_prefix, question_suffix, answer_prefix;
};

// A context and the bytes [passage_begin, passage_end) of it that are the passage.
struct ContextText {
  std::string text;
  size_t passage_begin = 0;
  size_t passage_end = 0;
};

// The pieces in `MODEL_DIR/kvscope.json` (`{"prompt": {"instruction": "...", ...}}`); none are set
// where there is no such file. Errors: InvalidArgument (not JSON, an unknown field or one that is
// no string) that names file and field.
absl::StatusOr<PromptPieces> ReadModelPieces(const std::string& model_dir);

// Each piece is the first that is set of the sweep's, the model directory's and the paper's.
Prompt ChoosePieces(const PromptPieces& sweep, const PromptPieces& model);

// `listed`: the candidate questions that stand before the passage; empty: question-agnostic.
ContextText WriteContext(const ChatPieces& chat, const Prompt& prompt,
                         std::span<const Question> listed, std::string_view passage);

std::string WriteSuffix(const ChatPieces& chat, const Prompt& prompt, std::string_view question);

}  // namespace kvscope::inference
