// What the evaluation of one passage yields: plain structs that the service layer turns into
// messages.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "services/inference/flow/cost.h"
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

// Which hidden states of a stream are kept for probes, as one vector a layer.
enum class ProbePool {
  kNone,
  kLast,  // of the last prompt token
  kMean,  // the mean over the rows whose logits gave an answer token: the last prompt token's and
          // each generated token's but the last
  kContext,  // the mean over the context tokens, which does not depend on press, ratio or question
};

// One question answered through one keep set.
struct StreamRecord {
  int question_index = 0;
  std::vector<int32_t> tokens;  // generated ids, the end token included if it came
  bool ended = false;           // by an end token
  std::string answer;           // text: special tokens left out, surrounding whitespace stripped
  std::vector<int32_t> answer_ids;  // of `answer`, by the scoring tokenizer
  std::vector<AttentionRow> rows;   // empty unless consensus is captured
  // [probed layers, hidden] hidden states, pooled as the grid's probe_pool says; empty where none
  // are captured. Float32, in transformers' hidden_states convention (see Grid).
  std::vector<float> pooled;
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

// In one layer, query head `head` of the token at `query` gives the token at `key` (<= query) a
// softmax weight above epsilon. Positions count from the context's first token and go on in the
// question's suffix.
struct AttentionEdge {
  int32_t head = 0;
  int32_t query = 0;
  int32_t key = 0;

  friend bool operator==(const AttentionEdge&, const AttentionEdge&) = default;
};

// The token-attention graph of one context in the uncompressed forward (Def. 1 of the paper):
// edges by head, then query, then key. The KV head of query head h is h / (q_heads / kv_heads).
struct TokenGraph {
  // Most edges of a passage: 16 Mi of 12 bytes are 192 MiB. A passage of 4,000 tokens of a model
  // with 32 layers and heads stays below at about 4 edges a row.
  static constexpr int64_t kMaxEdges = int64_t{1} << 24;

  // The rows of one question, which see the context and their own suffix.
  struct Suffix {
    int question_index = 0;
    int tokens = 0;  // of the suffix; the query token is context tokens + tokens - 1
    std::vector<std::vector<AttentionEdge>> layers;  // [layers]
    std::vector<int32_t> top_tokens;  // [layers, q_heads] the context token with the query token's
                                      // largest weight there; ties to the earlier token
  };

  double epsilon = 0;
  std::vector<std::vector<AttentionEdge>> context;  // [layers] rows of the context: all questions'
  std::vector<Suffix> questions;                    // those asked about this context, in order
  bool too_large = false;  // more than kMaxEdges: no edge is listed and nothing can be said
};

// In regime aware_each every question has a context of its own: it yields one PassageRecord a
// question. `questions` lists all of the passage's each time (their answer tokens are those of this
// context); the cells and their streams are of the one question that question_index names.
struct PassageRecord {
  std::vector<int32_t> context_ids;
  std::vector<std::string> context_tokens;  // text of each token; only if asked for (heat maps)
  std::vector<QuestionRecord> questions;    // all questions of the passage
  std::vector<CellRecord> cells;            // press-major, then ratio
  std::optional<TokenGraph> graph;          // only if asked for
  PassageCost cost;
};

}  // namespace kvscope::inference
