#include "services/orchestrator/datasets/llm/draft.h"

#include <gmock/gmock.h>

namespace kvscope::orchestrator::llm {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

json Answer() {
  return {{"passage",
           " Anna Berg kept bees. She owned a red boat. Her aunt Mia Toll sang in a choir. Anna "
           "Berg lived in Halden. On free days she carved whistles.\n"},
          {"entities",
           {{{"name", "Anna Berg"}, {"type", "person"}},
            {{"name", "Mia Toll"}, {"type", "Person"}},
            {{"name", "Halden"}, {"type", "place"}}}},
          {"facts",
           {{{"subject", "Anna Berg"}, {"attribute", "animals"}, {"value", "bees"}},
            {{"subject", "Anna Berg"}, {"attribute", "boat"}, {"value", "a red boat"}},
            {{"subject", "anna berg"}, {"attribute", "home"}, {"value", "Halden"}},
            {{"subject", "Anna Berg"}, {"attribute", "hobby"}, {"value", "carved whistles"}},
            {{"subject", "Anna Berg"}, {"attribute", "aunt"}, {"value", "Mia Toll"}}}}};
}

WritingRules Rules() {
  WritingRules rules = AllWritingRules()[0];
  EXPECT_EQ(rules.suite->suite, "base");
  return rules;
}

std::vector<std::string> Reasons(const json& answer, WritingRules rules = Rules(),
                                 WordRange words = {20, 30}) {
  const absl::StatusOr<Draft> draft = ParseDraft(answer);
  if (!draft.ok()) return {std::string(draft.status().message())};
  std::vector<std::string> reasons;
  for (const Problem& problem : CheckDraft(*draft, rules, words)) {
    reasons.emplace_back(problem.reason);
    EXPECT_FALSE(problem.detail.empty());
  }
  return reasons;
}

TEST(Draft, TakesWhatHolds) {
  EXPECT_THAT(Reasons(Answer()), IsEmpty());
  const Draft draft = *ParseDraft(Answer());
  EXPECT_TRUE(draft.passage.starts_with("Anna") && draft.passage.ends_with("whistles."));
  EXPECT_EQ(draft.entities[2].type, "Location");
}

TEST(Draft, CountsWords) {
  EXPECT_THAT(Reasons(Answer(), Rules(), {29, 40}), ElementsAre("too_short"));
  EXPECT_THAT(Reasons(Answer(), Rules(), {10, 27}), ElementsAre("too_long"));
  EXPECT_THAT(Reasons(Answer(), Rules(), {28, 28}), IsEmpty());
}

TEST(Draft, RefusesFactsThatThePassageDoesNotState) {
  json answer = Answer();
  answer["facts"][0]["value"] = "wasps";
  EXPECT_THAT(Reasons(answer), ElementsAre("fact_ungrounded"));  // four are left
  answer["facts"][1]["subject"] = "The boat";
  EXPECT_THAT(Reasons(answer), ElementsAre("fact_ungrounded", "fact_subject", "too_few_facts"));
  answer = Answer();
  answer["facts"][0]["value"] = "she";
  EXPECT_THAT(Reasons(answer), ElementsAre("repeated_value"));
  answer = Answer();
  answer["facts"][1] = answer["facts"][0];
  answer["facts"][2] = answer["facts"][0];
  EXPECT_THAT(Reasons(answer), ElementsAre("too_few_facts"));
}

TEST(Draft, RefusesNamesThatAreMissingOrUnlisted) {
  json answer = Answer();
  answer["entities"][1]["name"] = "Mia Roth";
  EXPECT_THAT(Reasons(answer), ElementsAre("entity_missing", "unlisted_name"));
  WritingRules rules = Rules();
  SuiteRule suite = *rules.suite;
  suite.reverse_occurrences = {3, 4};
  rules.suite = &suite;
  rules.least_entities = 4;
  EXPECT_THAT(Reasons(Answer(), rules), ElementsAre("too_few_entities", "mentions"));
  suite.reverse_occurrences = {1, 1};
  rules.least_entities = 1;
  EXPECT_THAT(Reasons(Answer(), rules), ElementsAre("mentions"));
}

TEST(Draft, DemandsSpreadAndChain) {
  WritingRules rules = Rules();
  rules.parts = 4;
  EXPECT_THAT(Reasons(Answer(), rules), IsEmpty());
  json answer = Answer();
  answer["passage"] =
      Answer()["passage"].get<std::string>() +
      " And so on it went for a while, day by day, on "
      "and on, with nothing to tell of, nothing to see and nothing to hear at all for years.";
  EXPECT_THAT(Reasons(answer, rules, {20, 90}), ElementsAre("unspread"));
  rules = Rules();
  rules.chain = true;
  rules.least_entities = 3;
  EXPECT_THAT(Reasons(Answer(), rules), ElementsAre("broken_chain"));  // Mia Toll -> Halden
  answer = Answer();
  answer["facts"].push_back({{"subject", "Mia Toll"}, {"attribute", "town"}, {"value", "Halden"}});
  EXPECT_THAT(Reasons(answer, rules), IsEmpty());
}

TEST(Draft, SaysWhichFieldIsWrong) {
  const auto error = [](const char* pointer, const json& value) {
    json answer = Answer();
    answer[json::json_pointer(pointer)] = value;
    return Reasons(answer)[0];
  };
  EXPECT_THAT(error("/passage", 3), HasSubstr("no text \"passage\""));
  EXPECT_THAT(error("/passage", " "), HasSubstr("\"passage\" that is blank"));
  EXPECT_THAT(error("/passage", std::string("a\0b", 3)), HasSubstr("NUL"));
  EXPECT_THAT(error("/entities", "Anna"), HasSubstr("no list \"entities\""));
  EXPECT_THAT(error("/entities/1", "Mia Toll"), HasSubstr("entities[1] has no text \"name\""));
  EXPECT_THAT(error("/entities/1/type", "robot"), HasSubstr("robot"));
  EXPECT_THAT(error("/facts/0/value", nullptr), HasSubstr("facts[0] has no text \"value\""));
  EXPECT_THAT(error("/facts", json::array_t(201)), HasSubstr("more than 200"));
  EXPECT_THAT(Reasons(json::array())[0], HasSubstr("no text \"passage\""));
}

}  // namespace
}  // namespace kvscope::orchestrator::llm
