// What Algorithm 1 demands of each suite that an LLM writes, beside what every file of that suite
// keeps to.  Source: arXiv:2603.01426, section 2.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "services/orchestrator/datasets/suite_rules.h"

namespace kvscope::orchestrator::llm {

struct WritingRules {
  const SuiteRule* suite = nullptr;  // of the paper's scale: counts, balance, lengths, tags
  int least_entities = 0;
  int least_facts = 0;          // (entity, attribute, value) stated in the passage
  int least_subject_facts = 0;  // of them, about the first entity
  int parts = 1;                // cut into so many equal parts, each part holds a fact's value
  bool chain = false;           // a fact links each entity to the next one of the list
  std::string_view brief;       // what the passage is about, as told to the model
  std::string_view ask;         // what its questions are to be like

  // Questions each way for each hop, and the deepest hop.
  int forward() const;
  int reverse() const;
  int deepest_hop() const;
};

// In the paper's order.
std::span<const WritingRules> AllWritingRules();

// Errors: InvalidArgument naming the nearest suite that an LLM writes.
absl::StatusOr<const WritingRules*> FindWritingRules(std::string_view suite);

// "base-llm-7-0012": of passage `index` (from 0).
std::string LlmPassageId(const WritingRules& rules, uint64_t seed, int64_t index);

}  // namespace kvscope::orchestrator::llm
