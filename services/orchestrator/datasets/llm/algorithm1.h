// Algorithm 1: has a language model write one passage and its questions, and takes nothing unseen.
// Source: arXiv:2603.01426, section 2.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "services/orchestrator/datasets/llm/chat_client.h"
#include "services/orchestrator/datasets/llm/draft.h"
#include "services/orchestrator/datasets/llm/writing_rules.h"
#include "services/orchestrator/datasets/passage.h"

namespace kvscope::orchestrator::llm {

struct Algorithm1Options {
  const WritingRules* rules = nullptr;
  WordRange words;  // of a passage
  uint64_t seed = 0;
  int attempts = 4;        // at a passage; and of each, at its questions
  int64_t max_tokens = 0;  // of an answer; 0: three tokens a word, and room for the JSON
};

// Something that the model wrote and that was not taken.
struct Rejection {
  std::string stage;  // passage, questions
  int attempt = 0;    // from 1
  std::string reason;
  std::string detail;
  std::string text;  // what was refused; may be empty

  bool operator==(const Rejection&) const = default;
};

struct PassageOutcome {
  std::optional<Passage> passage;  // none: all attempts were used up
  std::vector<Rejection> rejections;
  ChatTraffic traffic;
};

// Makes passage `index` (from 0): asks for a passage, gives its entities invented names, asks for
// questions both ways, and checks everything; what is wrong goes back to the model.  Questions that
// hold are kept while the missing ones are asked for again.  At most attempts · (attempts + 1)
// requests.  The names, the prompts and the requests' seeds depend on nothing but the options, the
// index, the model's answers and `asked_before`: the requests of runs that gave this passage up,
// whose seeds are not used again.
// Errors: those of ChatClient::Ask but for DataLoss, which counts as an answer that is of no use.
absl::StatusOr<PassageOutcome> WritePassage(const Algorithm1Options& options, int64_t index,
                                            int64_t asked_before, ChatClient& client);

}  // namespace kvscope::orchestrator::llm
