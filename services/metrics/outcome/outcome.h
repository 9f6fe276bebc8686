// How an answer went: correct, partial, hallucination or unknown.
// Source: arXiv:2603.01426, section on metrics (hallucination: a wrong answer that does not
// abstain; unknown: abstains though the passage has the answer).
#pragma once

#include <string_view>

#include "services/metrics/outcome/abstention.h"

namespace kvscope::metrics {

enum class Outcome { kCorrect, kPartial, kHallucination, kUnknown };

// "correct", "partial", "hallucination", "unknown".
std::string_view OutcomeName(Outcome outcome);

struct OutcomeThresholds {
  double correct_f1 = 0.5;        // at least this F1: correct
  double partial_above_f1 = 0.0;  // more than this, less than correct_f1: partial
};

// Where the right answer is to abstain: correct if the answer abstains, else a hallucination.
// Elsewhere by `f1` (the best over gold and aliases): correct from correct_f1, partial above
// partial_above_f1; below, unknown if the answer abstains, else a hallucination.
Outcome Classify(double f1, std::string_view answer, std::string_view gold,
                 const Abstentions& abstentions = Abstentions(),
                 const OutcomeThresholds& thresholds = {});

}  // namespace kvscope::metrics
