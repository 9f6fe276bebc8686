#include "services/orchestrator/datasets/llm/suite_rules.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "services/orchestrator/sweep/nearest_name.h"
#include "services/orchestrator/sweep/utf8.h"

namespace kvscope::orchestrator {
namespace {

constexpr SuiteRules kRules[] = {
    {.suite = "base",
     .paper_passages = 200,
     .words_low = 150,
     .words_high = 200,
     .forward = 3,
     .reverse = 3,
     .deepest_hop = 0,
     .least_entities = 1,
     .least_facts = 4,
     .least_subject_facts = 4,
     .least_subject_mentions = 1,
     .parts = 1,
     .chain = false,
     .brief = "It is about one subject, the first entity, and states at least four attributes that "
              "are directly linked to the subject, each in a sentence of its own.",
     .ask = "Every question links the subject and one of its attributes."},
    {.suite = "multi_presence",
     .paper_passages = 100,
     .words_low = 400,
     .words_high = 600,
     .forward = 5,
     .reverse = 5,
     .deepest_hop = 0,
     .least_entities = 1,
     .least_facts = 6,
     .least_subject_facts = 6,
     .least_subject_mentions = 8,
     .parts = 1,
     .chain = false,
     .brief = "It is about one subject, the first entity, whose full name is written out at least "
              "ten times, each time with something new; only some of these mentions state a fact.",
     .ask = "Each question belongs to one mention of the subject and to no other."},
    {.suite = "multi_entity",
     .paper_passages = 100,
     .words_low = 400,
     .words_high = 600,
     .forward = 5,
     .reverse = 5,
     .deepest_hop = 0,
     .least_entities = 4,
     .least_facts = 8,
     .least_subject_facts = 1,
     .least_subject_mentions = 1,
     .parts = 1,
     .chain = false,
     .brief = "It tells of at least four entities that are linked with each other, and states at "
              "least two attributes of each.",
     .ask = "The questions are spread over all entities."},
    {.suite = "long_context",
     .paper_passages = 100,
     .words_low = 900,
     .words_high = 1300,
     .forward = 5,
     .reverse = 5,
     .deepest_hop = 0,
     .least_entities = 4,
     .least_facts = 8,
     .least_subject_facts = 1,
     .least_subject_mentions = 1,
     .parts = 4,
     .chain = false,
     .brief = "It tells of at least four entities that are linked with each other, and states at "
              "least two attributes of each; the facts lie far apart, spread evenly from the first "
              "paragraph to the last.",
     .ask = "The questions are spread over all entities and over the whole passage."},
    {.suite = "hops",
     .paper_passages = 100,
     .words_low = 1080,
     .words_high = 1120,
     .forward = 2,
     .reverse = 2,
     .deepest_hop = 3,
     .least_entities = 4,
     .least_facts = 11,
     .least_subject_facts = 3,
     .least_subject_mentions = 1,
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

}  // namespace

std::span<const SuiteRules> AllSuiteRules() { return kRules; }

absl::StatusOr<const SuiteRules*> FindSuiteRules(std::string_view suite) {
  std::vector<std::string_view> names;
  for (const SuiteRules& rules : kRules) {
    if (rules.suite == suite) return &rules;
    names.push_back(rules.suite);
  }
  return absl::InvalidArgumentError(
      absl::StrCat(Quoted(suite), " is no data set that an LLM writes", KnownNames(suite, names)));
}

std::string LlmPassageId(const SuiteRules& rules, uint64_t seed, int64_t index) {
  return absl::StrFormat("%s-llm-%d-%04d", std::string(rules.suite), seed, index);
}

}  // namespace kvscope::orchestrator
