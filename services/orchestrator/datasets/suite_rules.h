// What every generated data set keeps to, as data: the suites' tests and `kvscope dataset check`
// hold passages to this one table.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "services/orchestrator/sweep/sweep.h"

namespace kvscope::orchestrator {

struct Range {
  int64_t low, high;  // both allowed

  bool Contains(int64_t value) const { return low <= value && value <= high; }
};

struct SuiteRule {
  std::string_view suite;
  Scale scale;
  Range words;              // a passage
  Range questions;          // a passage
  Range forward;            // questions a passage: the rest are reverse ones
  Range unknown;            // questions a passage whose right answer is "I dont know"
  int64_t passages;         // of the whole set; 0: as many as one likes
  int64_t total_questions;  // of the whole set; 0: as many as there are
  // How often an answer stands in its passage; of a Part question, each of its parts.
  Range forward_occurrences;
  Range reverse_occurrences;
  std::span<const int64_t> hops;  // all of them appear in every passage
  std::span<const std::string_view> question_types;
  std::span<const std::string_view> answer_types;
};

// One row for each suite and scale, in the paper's order.
std::span<const SuiteRule> SuiteRules();

// The row of that suite and scale; null where there is none.
const SuiteRule* FindSuiteRule(std::string_view suite, Scale scale);

}  // namespace kvscope::orchestrator
