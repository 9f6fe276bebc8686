#include "services/orchestrator/datasets/llm/draft.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/orchestrator/datasets/answer_finder.h"
#include "services/orchestrator/datasets/grounding.h"
#include "services/orchestrator/datasets/llm/entity_names.h"
#include "services/status_macros.h"

namespace kvscope::orchestrator::llm {
namespace {

using nlohmann::json;

constexpr size_t kMaxEntities = 200;
constexpr size_t kMaxFacts = 200;
constexpr size_t kMaxPassageBytes = 1 << 18;
constexpr size_t kMaxNameBytes = 200;
constexpr int kMaxValueWords = 10;
constexpr size_t kToldNames = 8;

std::string InQuotes(std::string_view text) { return absl::StrCat("\"", std::string(text), "\""); }

// The text in `object[key]`; `where` names the object in messages.
absl::StatusOr<std::string> TextOf(const json& object, const char* key, const std::string& where,
                                   size_t max_bytes) {
  const auto field = object.is_object() ? object.find(key) : object.end();
  if (!object.is_object() || field == object.end() || !field->is_string()) {
    return absl::InvalidArgumentError(absl::StrCat(where, " has no text \"", key, "\""));
  }
  const auto& raw = field->get_ref<const std::string&>();
  std::string text(absl::StripAsciiWhitespace(raw));
  if (text.empty() || text.size() > max_bytes || text.find('\0') != std::string::npos) {
    return absl::InvalidArgumentError(absl::StrCat(where, " has a text \"", key,
                                                   "\" that is blank, longer than ", max_bytes,
                                                   " bytes or holds a NUL character"));
  }
  return text;
}

absl::StatusOr<const json::array_t*> ListOf(const json& object, const char* key, size_t most) {
  const auto field = object.find(key);
  if (field == object.end() || !field->is_array()) {
    return absl::InvalidArgumentError(absl::StrCat("the answer has no list \"", key, "\""));
  }
  if (field->size() > most) {
    return absl::InvalidArgumentError(
        absl::StrCat("the list \"", key, "\" has more than ", most, " elements"));
  }
  return field->get_ptr<const json::array_t*>();
}

void CheckLength(const Draft& draft, WordRange range, std::vector<Problem>& problems) {
  const int words = CountWords(draft.passage);
  if (words >= range.low && words <= range.high) return;
  const bool is_short = words < range.low;
  problems.push_back({is_short ? "too_short" : "too_long",
                      absl::StrCat("the passage has ", words, " words, it must have ", range.low,
                                   " to ", range.high, ": ", is_short ? "write more" : "cut it"),
                      ""});
}

void CheckEntities(const Draft& draft, const WritingRules& rules, const AnswerFinder& index,
                   std::vector<Problem>& problems) {
  if (static_cast<int>(draft.entities.size()) < rules.least_entities) {
    problems.push_back({"too_few_entities",
                        absl::StrCat("\"entities\" lists ", draft.entities.size(), ", at least ",
                                     rules.least_entities, " are needed"),
                        ""});
  }
  for (const Entity& entity : draft.entities) {
    if (!index.HoldsWords(entity.name)) {
      problems.push_back({"entity_missing",
                          absl::StrCat("the entity ", InQuotes(entity.name),
                                       " does not stand in the passage in these words"),
                          entity.name});
    }
  }
  const auto mentions =
      draft.entities.empty() ? 0 : static_cast<int>(index.FindWords(draft.entities[0].name).size());
  const Range& allowed = rules.suite->reverse_occurrences;
  if (mentions > 0 && !allowed.Contains(mentions)) {
    problems.push_back({"mentions",
                        absl::StrCat("the subject's full name ", InQuotes(draft.entities[0].name),
                                     " stands in the passage ", mentions, " times, it must ",
                                     allowed.low, " to ", allowed.high, " times"),
                        ""});
  }
  std::vector<std::string> unlisted = UnlistedNames(draft);
  if (unlisted.empty()) return;
  if (unlisted.size() > kToldNames) unlisted.resize(kToldNames);
  const std::string names = absl::StrJoin(unlisted, ", ");
  problems.push_back({"unlisted_name",
                      absl::StrCat("these names stand in the passage but not in \"entities\": ",
                                   names, "; list each in full, or do without it"),
                      names});
}

// What is wrong with one fact; nothing if it may be asked about.
std::optional<Problem> FactProblem(const Draft& draft, const Fact& fact,
                                   const AnswerFinder& index) {
  const auto problem = [&](std::string_view reason, const std::string& detail) {
    return Problem{reason, absl::StrCat("the fact value ", InQuotes(fact.value), " ", detail),
                   absl::StrCat(fact.subject, " / ", fact.attribute, " / ", fact.value)};
  };
  if (!IsEntity(draft, fact.subject)) {
    return Problem{
        "fact_subject",
        absl::StrCat("the fact subject ", InQuotes(fact.subject), " is not a name of \"entities\""),
        fact.subject};
  }
  if (CountWords(fact.value) > kMaxValueWords) {
    return problem("fact_too_long", absl::StrCat("has more than ", kMaxValueWords, " words"));
  }
  const size_t count = index.FindWords(fact.value).size();
  if (count == 0) return problem("fact_ungrounded", "does not stand in the passage word for word");
  if (count > 1 && !IsEntity(draft, fact.value)) {
    return problem("repeated_value",
                   absl::StrCat("stands in the passage ", count, " times, it may only once"));
  }
  return std::nullopt;
}

// How many of `rules.parts` equal parts of the passage hold a fact's value.
int PartsWithFacts(const std::vector<const Fact*>& facts, const AnswerFinder& index, int parts) {
  std::set<int64_t> found;
  for (const Fact* fact : facts) {
    for (const Evidence& span : index.FindWords(fact->value)) {
      found.insert(span.start * parts / std::max<int64_t>(1, index.length()));
    }
  }
  return static_cast<int>(found.size());
}

void CheckFacts(const Draft& draft, const WritingRules& rules, const AnswerFinder& index,
                std::vector<Problem>& problems) {
  std::vector<const Fact*> sound;
  std::set<std::pair<std::string, std::string>> seen;
  int of_subject = 0;
  for (const Fact& fact : draft.facts) {
    std::optional<Problem> problem = FactProblem(draft, fact, index);
    if (problem) {
      problems.push_back(*std::move(problem));
    } else if (seen.emplace(NormalizeText(fact.subject), NormalizeText(fact.value)).second) {
      sound.push_back(&fact);
      of_subject += NormalizeText(fact.subject) == NormalizeText(draft.entities[0].name);
    }
  }
  const auto count = static_cast<int>(sound.size());
  if (count < rules.least_facts || of_subject < rules.least_subject_facts) {
    problems.push_back({"too_few_facts",
                        absl::StrCat("\"facts\" has ", count, " different sound facts, ",
                                     of_subject, " of them about the first entity; needed are ",
                                     rules.least_facts, " and ", rules.least_subject_facts),
                        ""});
  }
  if (const int parts = PartsWithFacts(sound, index, rules.parts); parts < rules.parts) {
    problems.push_back({"unspread",
                        absl::StrCat("only ", parts, " of the passage's ", rules.parts,
                                     " equal parts hold a fact: spread the facts evenly"),
                        ""});
  }
  for (int i = 0; rules.chain && i + 1 < rules.least_entities; ++i) {
    const auto at = static_cast<size_t>(i);
    if (at + 1 >= draft.entities.size()) break;
    const std::string from = NormalizeText(draft.entities[at].name);
    const std::string to = NormalizeText(draft.entities[at + 1].name);
    if (seen.contains({from, to})) continue;
    problems.push_back({"broken_chain",
                        absl::StrCat("no fact has the subject ", InQuotes(draft.entities[at].name),
                                     " and the value ", InQuotes(draft.entities[at + 1].name)),
                        ""});
  }
}

}  // namespace

std::string_view AnswerTypeOf(std::string_view name) {
  static constexpr std::pair<std::string_view, std::string_view> kOthers[] = {
      {"people", "Person"},        {"object", "Thing"},
      {"occupation", "Thing"},     {"organisation", "Organization"},
      {"company", "Organization"}, {"animal", "Creature"},
      {"place", "Location"},       {"city", "Location"},
      {"number", "Numerals"},      {"numeral", "Numerals"},
      {"date", "Dates/Times"},     {"dates", "Dates/Times"},
      {"time", "Dates/Times"},     {"times", "Dates/Times"},
      {"event", "Events"}};
  for (const std::string_view type : kAnswerTypes) {
    if (absl::EqualsIgnoreCase(std::string(type), std::string(name))) return type;
  }
  for (const auto& [other, type] : kOthers) {
    if (absl::EqualsIgnoreCase(std::string(other), std::string(name))) return type;
  }
  return "";
}

bool IsEntity(const Draft& draft, std::string_view name) {
  const std::string wanted = NormalizeText(name);
  return std::any_of(draft.entities.begin(), draft.entities.end(),
                     [&](const Entity& e) { return NormalizeText(e.name) == wanted; });
}

absl::StatusOr<Draft> ParseDraft(const json& object) {
  Draft draft;
  KVSCOPE_ASSIGN_OR_RETURN(draft.passage,
                           TextOf(object, "passage", "the answer", kMaxPassageBytes));
  KVSCOPE_ASSIGN_OR_RETURN(const json::array_t* entities, ListOf(object, "entities", kMaxEntities));
  for (const json& element : *entities) {
    const std::string where = absl::StrCat("entities[", draft.entities.size(), "]");
    Entity entity;
    KVSCOPE_ASSIGN_OR_RETURN(entity.name, TextOf(element, "name", where, kMaxNameBytes));
    KVSCOPE_ASSIGN_OR_RETURN(const std::string type, TextOf(element, "type", where, kMaxNameBytes));
    entity.type = AnswerTypeOf(type);
    if (entity.type.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat(where, " has the type ", InQuotes(type), ", it must be one of ",
                       absl::StrJoin(kAnswerTypes, ", ",
                                     [](std::string* out, auto type) { out->append(type); })));
    }
    draft.entities.push_back(std::move(entity));
  }
  KVSCOPE_ASSIGN_OR_RETURN(const json::array_t* facts, ListOf(object, "facts", kMaxFacts));
  for (const json& element : *facts) {
    const std::string where = absl::StrCat("facts[", draft.facts.size(), "]");
    Fact fact;
    KVSCOPE_ASSIGN_OR_RETURN(fact.subject, TextOf(element, "subject", where, kMaxNameBytes));
    KVSCOPE_ASSIGN_OR_RETURN(fact.attribute, TextOf(element, "attribute", where, kMaxNameBytes));
    KVSCOPE_ASSIGN_OR_RETURN(fact.value, TextOf(element, "value", where, kMaxNameBytes));
    draft.facts.push_back(std::move(fact));
  }
  return draft;
}

std::vector<Problem> CheckDraft(const Draft& draft, const WritingRules& rules, WordRange words) {
  std::vector<Problem> problems;
  const AnswerFinder index(draft.passage);
  CheckLength(draft, words, problems);
  CheckEntities(draft, rules, index, problems);
  CheckFacts(draft, rules, index, problems);
  return problems;
}

}  // namespace kvscope::orchestrator::llm
