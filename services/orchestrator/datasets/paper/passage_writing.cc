#include "services/orchestrator/datasets/paper/passage_writing.h"

#include <algorithm>
#include <cstdlib>
#include <string>
#include <utility>

#include "services/orchestrator/datasets/grounding.h"
#include "services/orchestrator/datasets/paper/asking.h"
#include "services/orchestrator/datasets/paper/wording.h"
#include "services/orchestrator/datasets/passage_ids.h"

namespace kvscope::orchestrator::paper {

namespace {

bool KeepsRule(const SuiteRule& rule, const Passage& passage) {
  return rule.words.Contains(CountWords(passage.context)) && IsGrounded(passage) &&
         std::all_of(passage.questions.begin(), passage.questions.end(), [&](const Question& q) {
           if (q.direction == kForward || q.answer == kUnknownAnswer) return true;
           return rule.reverse_occurrences.Contains(static_cast<int64_t>(q.evidence.size()));
         });
}

}  // namespace

Passage WritePassage(std::string_view suite, uint64_t seed, int64_t index,
                     absl::FunctionRef<bool(Random&, Passage&)> write) {
  const SuiteRule* rule = FindSuiteRule(suite, Scale::kPaper);
  if (rule == nullptr) std::abort();
  Random random = Random::Keyed(seed, Joined({suite, "/paper"}), static_cast<uint64_t>(index));
  Passage passage;
  do {
    passage = NewPassage(suite, Scale::kPaper, Names::kHeldOut, seed, index);
  } while (!write(random, passage) || !KeepsRule(*rule, passage));
  NumberQuestions(passage);
  return passage;
}

int64_t DrawLength(const SuiteRule& rule, Random& random) {
  return random.Between(rule.words.low + Teller::kSlack, rule.words.high - Teller::kSlack);
}

void ShuffleQuestions(Random& random, std::vector<Question>& questions) {
  for (size_t i = questions.size(); i > 1; --i) {
    std::swap(questions[i - 1], questions[random.Below(i)]);
  }
}

}  // namespace kvscope::orchestrator::paper
