// What the evaluation of one passage yields: plain structs that the service layer turns into
// messages.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "services/inference/flow/keep_set.h"

namespace kvscope::inference {

// What the heads saw from one row (the last prompt token, then each generated token but the last).
struct AttentionRow {
  std::vector<int32_t>
      top_tokens;  // [layers, q_heads] context token with the largest weight; -1: none survives
  std::vector<float> top_weights;  // [layers, q_heads] its softmax weight
  std::vector<float>
      answer_mass;  // [layers, q_heads] softmax weight on the answer's surviving tokens
};

// One question answered through one keep set.
struct StreamRecord {
  int question_index = 0;
  std::vector<int32_t> tokens;  // generated ids, the end token included if it came
  bool ended = false;           // by an end token
  std::string answer;           // text: special tokens left out, surrounding whitespace stripped
  std::vector<int32_t> answer_ids;  // of `answer`, by the scoring tokenizer
  std::vector<AttentionRow> rows;   // empty unless consensus is captured
};

// One (press, ratio) on one passage; in regime aware_each also one question.
struct CellRecord {
  int press_index = 0;
  int ratio_index = 0;
  int question_index = -1;  // aware_each: whose keep set; else -1
  KeepSet keep;
  int64_t kept_bytes = 0;  // K and V of the kept pairs, in the cache's dtype
  int64_t full_bytes = 0;
  std::vector<StreamRecord> streams;  // in question order
};

// What of a question does not depend on press and ratio.
struct QuestionRecord {
  // Context tokens of the gold answer, ascending: of its occurrences, else of its evidence.
  std::vector<int32_t> answer_tokens;
  std::vector<int32_t> gold_ids;  // by the scoring tokenizer
  std::vector<std::vector<int32_t>> alias_ids;
};

// In regime aware_each every question has a context of its own: it yields one PassageRecord a
// question. `questions` lists all of the passage's each time (their answer tokens are those of this
// context); the cells and their streams are of the one question that question_index names.
struct PassageRecord {
  std::vector<int32_t> context_ids;
  std::vector<std::string> context_tokens;  // text of each token; only if asked for (heat maps)
  std::vector<QuestionRecord> questions;    // all questions of the passage
  std::vector<CellRecord> cells;            // press-major, then ratio
};

}  // namespace kvscope::inference
