// What the suites' writers have in common: ids, and drawing again until a passage keeps its rule.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "services/orchestrator/datasets/paper/telling.h"
#include "services/orchestrator/datasets/passage.h"
#include "services/orchestrator/datasets/random.h"
#include "services/orchestrator/datasets/suite_rules.h"

namespace kvscope::orchestrator::paper {

// Calls `write` until it returns true, every answer is grounded, and length and occurrences lie
// within the suite's rule; sets dataset and ids.
Passage WritePassage(std::string_view suite, uint64_t seed, int64_t index,
                     absl::FunctionRef<bool(Random&, Passage&)> write);

// A length within the suite's rule that leaves room for FillTo's slack.
int64_t DrawLength(const SuiteRule& rule, Random& random);

// The questions in a drawn order.
void ShuffleQuestions(Random& random, std::vector<Question>& questions);

}  // namespace kvscope::orchestrator::paper
