// Holds passages of generated suites to their rules (suite_rules.h).
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "services/orchestrator/datasets/check_passage.h"
#include "services/orchestrator/datasets/passage.h"
#include "services/orchestrator/datasets/suite_rules.h"

namespace kvscope::orchestrator {

// The rules that a passage must keep: those of its data set's suite at the scale that its id
// carries, `SUITE-SCALE-SEED-INDEX`.  Null where the data set or the id is no suite's.
const SuiteRule* RuleOf(const Passage& passage);

// What in the passage breaks the rules.
std::vector<Finding> HoldToRule(const SuiteRule& rule, const Passage& passage,
                                const PassageFacts& facts);

// What can be said of a suite only when all of its passages are known.
class SuiteTotals {
 public:
  void Add(const SuiteRule& rule, const Passage& passage);

  // What breaks the rules of those suites of which there are just as many passages as the paper
  // has: their questions in all, and tags that no question has.
  std::vector<Finding> Findings() const;

 private:
  struct Total {
    int64_t passages = 0;
    int64_t questions = 0;
    std::set<std::string> answer_types;
    std::set<std::string> question_types;
  };
  std::map<const SuiteRule*, Total> totals_;
};

}  // namespace kvscope::orchestrator
