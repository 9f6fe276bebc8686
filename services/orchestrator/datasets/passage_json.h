// A passage as one line of JSON, and back.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "services/orchestrator/datasets/passage.h"

namespace kvscope::orchestrator {

// What a line may hold.
inline constexpr size_t kMaxQuestions = 10'000;
inline constexpr size_t kMaxListed = 1'000;  // aliases or evidence spans of a question
inline constexpr size_t kMaxIdBytes = 200;
inline constexpr int64_t kMaxHop = 100;

// Where a line stands, and what its missing fields become.
struct PassageOrigin {
  std::string where;    // `FILE:LINE`, for messages
  std::string dataset;  // of a passage that names none
  int64_t ordinal = 0;  // of the passage in its file, from 0
};

// Parses one line:
//   {"dataset", "passage_id", "context", "questions": [{"question_id", "question", "answer",
//    "aliases": [], "direction": "forward|reverse", "answer_type", "question_type", "hop": 0,
//    "evidence": [[start, end]], "support": [[start, end]]}]}
// Only `context`, `question` and `answer` are required; null means missing.  A missing passage_id
// becomes `DATASET-NNN`, a missing question_id `PASSAGE_ID-NN`, counted from 0.  A key that looks
// like a misspelt one is refused, other unknown keys are ignored.
// Errors: InvalidArgument `WHERE: FIELD: what was found and what is allowed`.
absl::StatusOr<Passage> ParsePassage(std::string_view line, const PassageOrigin& origin);

// The canonical line of a passage, without newline: every field, in the order above; of the
// lists, an empty `support` is left out.  Equal
// passages give equal bytes, and ParsePassage reads the same passage back.  Texts must be UTF-8
// (CHECK).
std::string FormatPassage(const Passage& passage);

}  // namespace kvscope::orchestrator
