// How an answer went: correct, partial, hallucination or unknown.
// Source: arXiv:2603.01426, section on metrics (hallucination: a wrong answer that does not
// abstain; unknown: abstains though the passage has the answer).
#pragma once

#include <string_view>

namespace kvscope::metrics {

enum class Outcome { kCorrect, kPartial, kHallucination, kUnknown };

// "correct", "partial", "hallucination", "unknown".
std::string_view OutcomeName(Outcome outcome);

struct OutcomeThresholds {
  double correct_f1 = 0.5;        // at least this F1: correct
  double partial_above_f1 = 0.0;  // more than this, less than correct_f1: partial
};

// True if the answer declines to answer.  Compared after NormalizeAnswer and without apostrophes:
//   - it is, or begins (up to a word's end) with, one of
//     "i dont know", "i do not know", "dont know", "do not know";
//   - or it is exactly one of "unknown", "its unknown", "it is unknown", "the answer is unknown",
//     "idk".
// An empty answer does not abstain.
bool IsAbstention(std::string_view answer);

// True if the right answer is to abstain: `gold` is "I dont know" in one of its spellings, that is
// exactly one of the first four phrases above.
bool IsAbstentionGold(std::string_view gold);

// Where the right answer is to abstain: correct if the answer abstains, else a hallucination.
// Elsewhere by `f1` (the best over gold and aliases): correct from correct_f1, partial above
// partial_above_f1; below, unknown if the answer abstains, else a hallucination.
Outcome Classify(double f1, std::string_view answer, std::string_view gold,
                 const OutcomeThresholds& thresholds = {});

}  // namespace kvscope::metrics
