// What Algorithm 1 says to the model: the demands of a suite in words.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "services/orchestrator/datasets/llm/chat_client.h"
#include "services/orchestrator/datasets/llm/draft.h"
#include "services/orchestrator/datasets/llm/questions.h"
#include "services/orchestrator/datasets/llm/writing_rules.h"

namespace kvscope::orchestrator::llm {

// What the model answered before, and what was wrong with it.
struct Feedback {
  std::string answer;  // empty: the first attempt
  std::vector<Problem> problems;
};

// Asks for a passage with its entities and facts.  What it is set in is drawn from (seed, index),
// so that the passages of a set differ.
std::vector<ChatMessage> PassagePrompt(const WritingRules& rules, WordRange words, uint64_t seed,
                                       int64_t index, const Feedback& feedback);

// Asks for the questions that `taken` still needs about a draft whose names are invented already.
std::vector<ChatMessage> QuestionsPrompt(const WritingRules& rules, const Draft& draft,
                                         const QuestionSet& taken, const Feedback& feedback);

}  // namespace kvscope::orchestrator::llm
