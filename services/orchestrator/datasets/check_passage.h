// Checks one passage by itself: grounding, redundancy, support, questions asked twice.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "services/orchestrator/datasets/check_finding.h"
#include "services/orchestrator/datasets/passage.h"

namespace kvscope::orchestrator {

// How an answer stands in its passage.
enum class AnswerForm {
  kUnknown,      // "I dont know"
  kWhole,        // it, or one of its aliases, occurs in the context
  kParts,        // several evidence spans make it up: "Ann and Bob"
  kTransformed,  // not in the context, as a Manipulated question may have it
  kMissing,      // not in the context
};

// A text and how often it stands in the context: as words of its own or, if it nowhere stands so,
// at all (grounding.h).
struct CountedText {
  std::string text;
  int64_t count = 0;
};

struct AnswerFacts {
  AnswerForm form = AnswerForm::kMissing;
  std::vector<CountedText> pieces;  // kWhole: the answer; kParts: its parts
};

struct PassageFacts {
  int64_t words = 0;
  std::vector<AnswerFacts> answers;  // by question
  std::vector<Finding> findings;     // in the questions' order
};

// Every answer is looked up once in the context, which is normalized once.  An answer in parts is
// grounded if every evidence span's text stands in it and together, joined by commas and "and",
// they are all of it.
PassageFacts CheckPassage(const Passage& passage);

}  // namespace kvscope::orchestrator
