// What Algorithm 1 demands of each suite that an LLM writes.  Source: arXiv:2603.01426, section 2.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace kvscope::orchestrator {

struct SuiteRules {
  std::string_view suite;
  int64_t paper_passages;
  int words_low, words_high;  // of a passage, inclusive
  int forward, reverse;       // questions each way, for each hop from 0 to deepest_hop
  int deepest_hop;
  int least_entities;
  int least_facts;             // (entity, attribute, value) stated in the passage
  int least_subject_facts;     // of them, about the first entity
  int least_subject_mentions;  // how often the first entity's name stands there
  int parts;                   // cut into so many equal parts, each part holds a fact's value
  bool chain;                  // a fact links each entity to the next one of the list
  std::string_view brief;      // what the passage is about, as told to the model
  std::string_view ask;        // what its questions are to be like; may be empty

  int questions() const { return (forward + reverse) * (deepest_hop + 1); }
};

// In the paper's order.
std::span<const SuiteRules> AllSuiteRules();

// Errors: InvalidArgument naming the nearest suite that an LLM writes.
absl::StatusOr<const SuiteRules*> FindSuiteRules(std::string_view suite);

// "base-llm-7-0012": of passage `index` (from 0).
std::string LlmPassageId(const SuiteRules& rules, uint64_t seed, int64_t index);

}  // namespace kvscope::orchestrator
