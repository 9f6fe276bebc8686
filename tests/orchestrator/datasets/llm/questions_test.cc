#include "services/orchestrator/datasets/llm/questions.h"

#include <gmock/gmock.h>

namespace kvscope::orchestrator::llm {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const Draft kDraft = {
    .passage =
        "Anna Berg kept bees. She owned a red boat. Anna Berg trusted Mia Toll. Mia Toll "
        "sang in a choir. She had bees, a drum and a kite.",
    .entities = {{"Anna Berg", "Person"}, {"Mia Toll", "Person"}},
    .facts = {}};

// Two forward questions and a reverse one for each hop.
WritingRules Rules(int deepest_hop = 0) {
  static constexpr int64_t kHops[] = {0, 1};
  static SuiteRule suites[2];
  SuiteRule& suite = suites[deepest_hop];
  const int64_t hops = deepest_hop + 1;
  suite = *AllWritingRules()[0].suite;
  suite.questions = {3 * hops, 3 * hops};
  suite.forward = {2 * hops, 2 * hops};
  suite.hops = std::span(kHops).first(static_cast<size_t>(hops));
  WritingRules rules = AllWritingRules()[0];
  rules.suite = &suite;
  return rules;
}

json Ask(const std::string& question, const std::string& answer,
         const std::string& direction = "forward", int hop = 0) {
  return {{"question", question},        {"answer", answer},
          {"direction", direction},      {"answer_type", "Thing"},
          {"question_type", "standard"}, {"hop", hop}};
}

// The reasons for which one question after another is refused; "" for one that is taken.
std::vector<std::string> Refusals(const std::vector<json>& asked, const WritingRules& rules) {
  QuestionSet set(kDraft, rules);
  std::vector<std::string> reasons;
  for (const json& question : asked) {
    const auto problems = set.Take({{"questions", json::array({question})}});
    reasons.emplace_back(problems.empty() ? "" : problems[0].reason);
  }
  return reasons;
}

std::string Refusal(const json& question) { return Refusals({question}, Rules())[0]; }

TEST(QuestionSet, TakesWhatHoldsUntilComplete) {
  const WritingRules rules = Rules();
  QuestionSet set(kDraft, rules);
  const json first = {
      {"questions",
       {Ask("Who owned a red boat?", "Anna Berg", "Reverse"),
        Ask("What did Anna Berg own?", "a red boat"), Ask("And Anna Berg?", "a tank")}}};
  const auto problems = set.Take(first);
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_EQ(problems[0].reason, "ungrounded");
  EXPECT_THAT(problems[0].detail, HasSubstr("\"And Anna Berg?\" with the answer \"a tank\""));
  ASSERT_EQ(set.Needs().size(), 1u);
  EXPECT_EQ(set.Needs()[0].forward, 1);
  EXPECT_EQ(set.Needs()[0].reverse, 0);
  EXPECT_THAT(set.Take({{"questions", {Ask("What did Mia Toll beat?", "DRUM")}}}), IsEmpty());
  EXPECT_TRUE(set.Complete());

  const std::vector<Question> questions = set.InOrder();
  ASSERT_EQ(questions.size(), 3u);
  EXPECT_EQ(questions[0].answer, "a red boat");  // forward first
  EXPECT_THAT(questions[0].evidence, ElementsAre(Evidence{31, 41}));
  EXPECT_EQ(questions[0].question_type, "Standard");
  EXPECT_EQ(questions[2].direction, "reverse");
  EXPECT_THAT(questions[2].evidence, ElementsAre(Evidence{0, 9}, Evidence{43, 52}));
}

TEST(QuestionSet, DemandsGroundedAnswers) {
  EXPECT_EQ(Refusal(Ask("What did Anna Berg own?", "a blue boat")), "ungrounded");
  EXPECT_EQ(Refusal(Ask("What did Anna Berg own?", "red boats")), "ungrounded");
  EXPECT_EQ(Refusal(Ask("What did Anna Berg keep?", "bees")), "repeated_answer");
  EXPECT_EQ(Refusal(Ask("Whom did Anna Berg trust?", "Mia Toll")), "");  // a name may recur
  EXPECT_EQ(Refusal(Ask("Was it a red boat that Anna Berg had?", "a red boat")),
            "answer_in_question");
  EXPECT_EQ(
      Refusal(Ask("What of Anna Berg?", "Anna Berg trusted Mia Toll. Mia Toll sang in a choir")),
      "answer_too_long");
}

TEST(QuestionSet, DemandsThatTheDirectionFits) {
  EXPECT_EQ(Refusal(Ask("What did she own?", "a red boat")), "no_entity_named");
  EXPECT_EQ(Refusal(Ask("What had a red boat?", "a drum", "reverse")), "not_an_entity");
  EXPECT_EQ(Refusal(Ask("Who kept so many?", "Mia Toll", "reverse")), "");
  json question = Ask("What did Anna Berg own?", "a red boat", "sideways");
  EXPECT_EQ(Refusal(question), "bad_tag");
  question = Ask("What did Anna Berg own?", "a red boat");
  question["answer_type"] = "Boat";
  EXPECT_EQ(Refusal(question), "bad_tag");
  question.erase("answer_type");
  EXPECT_EQ(Refusal(question), "bad_tag");
}

TEST(QuestionSet, RefusesRepetitions) {
  EXPECT_THAT(
      Refusals(
          {Ask("What did Anna Berg own?", "a red boat"), Ask("what did anna berg own", "a drum"),
           Ask("What belonged to Anna Berg?", "a red boat"),
           Ask("What did Mia Toll own?", "a kite"), Ask("What did Mia Toll beat?", "a drum")},
          Rules()),
      ElementsAre("", "duplicate_question", "duplicate_answer", "", "surplus"));
}

TEST(QuestionSet, DemandsThatHopsAreFollowed) {
  const WritingRules rules = Rules(1);
  EXPECT_THAT(Refusals({Ask("Where did the friend of Anna Berg sing?", "in a choir", "forward", 1),
                        Ask("What did Mia Toll beat?", "a drum", "forward", 1),
                        Ask("What did Anna Berg's friend Mia Toll beat?", "a drum", "forward", 1),
                        Ask("Whose friend beat a drum?", "Mia Toll", "reverse", 1),
                        Ask("Whose friend beat a drum?", "Anna Berg", "reverse", 1),
                        Ask("What flew, Anna Berg?", "a kite", "forward", 2),
                        Ask("What flew, Anna Berg?", "a kite", "forward", -1)},
                       rules),
              ElementsAre("", "wrong_hop", "wrong_hop", "wrong_hop", "", "bad_tag", "bad_tag"));
}

TEST(QuestionSet, SurvivesAnyShape) {
  const WritingRules rules = Rules();
  QuestionSet set(kDraft, rules);
  for (const json& answer : {json(), json(3), json::array(), json({{"questions", 3}}),
                             json({{"questions", {1, nullptr, {{"question", {1}}}}}}),
                             json({{"questions", json::array_t(201)}})}) {
    for (const Problem& problem : set.Take(answer)) EXPECT_EQ(problem.reason, "malformed");
  }
  EXPECT_THAT(set.InOrder(), IsEmpty());
}

}  // namespace
}  // namespace kvscope::orchestrator::llm
