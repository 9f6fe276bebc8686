// A passage as a model wrote it, before anybody trusts it.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "services/orchestrator/datasets/llm/writing_rules.h"

namespace kvscope::orchestrator::llm {

// The paper's eight, in its order.
inline constexpr std::string_view kAnswerTypes[] = {
    "Person", "Thing", "Organization", "Creature", "Location", "Numerals", "Dates/Times", "Events"};

// Why something was refused: a word to count by, and a sentence that tells the model what to mend.
struct Problem {
  std::string_view reason;  // such as "too_short"
  std::string detail;
  std::string text{};  // what was refused, where that is less than the whole answer

  bool operator==(const Problem&) const = default;
};

struct Entity {
  std::string name;
  std::string type;  // of kAnswerTypes
};

// A short text that the passage states of an entity.
struct Fact {
  std::string subject;
  std::string attribute;
  std::string value;
};

struct Draft {
  std::string passage;
  std::vector<Entity> entities;  // the subject first
  std::vector<Fact> facts;
};

struct WordRange {
  int low = 0;
  int high = 0;  // inclusive
};

// Reads {"passage", "entities": [{"name", "type"}], "facts": [{"subject", "attribute", "value"}]}.
// White space around texts goes.  Errors: InvalidArgument, to be told to the model.
absl::StatusOr<Draft> ParseDraft(const nlohmann::json& object);

// The type of that name, case aside, or what it stands for ("date" is "Dates/Times"); empty if
// none.
std::string_view AnswerTypeOf(std::string_view name);

// Whether `name` is that of one of the entities, case and spacing aside.
bool IsEntity(const Draft& draft, std::string_view name);

// All that keeps the draft from the suite's demands; empty if nothing does.
std::vector<Problem> CheckDraft(const Draft& draft, const WritingRules& rules, WordRange words);

}  // namespace kvscope::orchestrator::llm
