#include "services/metrics/outcome/outcome.h"

namespace kvscope::metrics {

std::string_view OutcomeName(Outcome outcome) {
  switch (outcome) {
    case Outcome::kCorrect:
      return "correct";
    case Outcome::kPartial:
      return "partial";
    case Outcome::kHallucination:
      return "hallucination";
    case Outcome::kUnknown:
      return "unknown";
  }
  return "";
}

Outcome Classify(double f1, std::string_view answer, std::string_view gold,
                 const Abstentions& abstentions, const OutcomeThresholds& thresholds) {
  if (abstentions.ContainGold(gold)) {
    return abstentions.Contain(answer) ? Outcome::kCorrect : Outcome::kHallucination;
  }
  if (f1 >= thresholds.correct_f1) return Outcome::kCorrect;
  if (f1 > thresholds.partial_above_f1) return Outcome::kPartial;
  return abstentions.Contain(answer) ? Outcome::kUnknown : Outcome::kHallucination;
}

}  // namespace kvscope::metrics
