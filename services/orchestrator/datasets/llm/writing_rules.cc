#include "services/orchestrator/datasets/llm/writing_rules.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "services/orchestrator/sweep/nearest_name.h"
#include "services/orchestrator/sweep/utf8.h"

namespace kvscope::orchestrator::llm {
namespace {

// Built when first asked for: the other table's.
std::span<const WritingRules> Rules() {
  static const WritingRules kRules[] = {
      {.suite = FindSuiteRule("base", Scale::kPaper),
       .least_entities = 1,
       .least_facts = 4,
       .least_subject_facts = 4,
       .parts = 1,
       .chain = false,
       .brief =
           "It is about one subject, the first entity, and states at least four attributes that "
           "are directly linked to the subject, each in a sentence of its own.",
       .ask = "Every question links the subject and one of its attributes."},
      {.suite = FindSuiteRule("multi_presence", Scale::kPaper),
       .least_entities = 1,
       .least_facts = 6,
       .least_subject_facts = 6,
       .parts = 1,
       .chain = false,
       .brief =
           "It is about one subject, the first entity, whose full name is written out again "
           "and again, each time with something new; only some of these mentions state a fact.",
       .ask = "Each question belongs to one mention of the subject and to no other."},
      {.suite = FindSuiteRule("multi_entity", Scale::kPaper),
       .least_entities = 4,
       .least_facts = 8,
       .least_subject_facts = 1,
       .parts = 1,
       .chain = false,
       .brief = "It tells of at least four entities that are linked with each other, and states at "
                "least two attributes of each.",
       .ask = "The questions are spread over all entities."},
      {.suite = FindSuiteRule("long_context", Scale::kPaper),
       .least_entities = 4,
       .least_facts = 8,
       .least_subject_facts = 1,
       .parts = 4,
       .chain = false,
       .brief =
           "It tells of at least four entities that are linked with each other, and states at "
           "least two attributes of each; the facts lie far apart, spread evenly from the first "
           "paragraph to the last.",
       .ask = "The questions are spread over all entities and over the whole passage."},
      {.suite = FindSuiteRule("hops", Scale::kPaper),
       .least_entities = 4,
       .least_facts = 11,
       .least_subject_facts = 3,
       .parts = 1,
       .chain = true,
       .brief =
           "It tells of a subject, the first entity, and three more entities that are linked one "
           "after the other: the subject to the second, the second to the third, the third to "
           "the fourth. Each link is a fact whose value is the next entity's name, and each of "
           "the four has at least two attributes beside.",
       .ask =
           "The hop of a question is the number of links followed from the subject: 0 asks for the "
           "subject's own attribute, 1 for one of the entity it is linked to, and so on. A "
           "question names none of the entities that are passed on the way; every reverse question "
           "asks for the subject."},
  };
  return kRules;
}

}  // namespace

std::span<const WritingRules> AllWritingRules() { return Rules(); }

absl::StatusOr<const WritingRules*> FindWritingRules(std::string_view suite) {
  std::vector<std::string_view> names;
  for (const WritingRules& rules : Rules()) {
    if (rules.suite->suite == suite) return &rules;
    names.push_back(rules.suite->suite);
  }
  return absl::InvalidArgumentError(
      absl::StrCat(Quoted(suite), " is no data set that an LLM writes", KnownNames(suite, names)));
}

int WritingRules::forward() const {
  return static_cast<int>(suite->forward.high) / (deepest_hop() + 1);
}

int WritingRules::reverse() const {
  return static_cast<int>(suite->questions.high - suite->forward.high) / (deepest_hop() + 1);
}

int WritingRules::deepest_hop() const { return static_cast<int>(suite->hops.back()); }

std::string LlmPassageId(const WritingRules& rules, uint64_t seed, int64_t index) {
  return absl::StrFormat("%s-llm-%d-%04d", std::string(rules.suite->suite), seed, index);
}

}  // namespace kvscope::orchestrator::llm
