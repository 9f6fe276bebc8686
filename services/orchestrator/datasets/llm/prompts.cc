#include "services/orchestrator/datasets/llm/prompts.h"

#include <nlohmann/json.hpp>
#include <span>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/orchestrator/datasets/random.h"

namespace kvscope::orchestrator::llm {
namespace {

constexpr size_t kRepeatedBytes = 24 << 10;  // a longer answer is not shown to the model again
constexpr size_t kToldProblems = 12;

constexpr std::string_view kSystem =
    "You write data for a reading-comprehension test. You answer with one JSON object and nothing "
    "else: no explanation, no Markdown.";

constexpr std::string_view kFigures[] = {
    "a clockmaker",     "a botanist",    "a choir",           "a ferry company",
    "a painter",        "a chess club",  "a mountain guide",  "a newspaper",
    "an inventor",      "a bakery",      "a diver",           "a sailing ship",
    "a small museum",   "a composer",    "a racing horse",    "a glass works",
    "a puppet theatre", "an astronomer", "a vineyard",        "a judge",
    "a bridge",         "a rare bird",   "a football club",   "a cartographer",
    "a radio station",  "a beekeeper",   "a printing house",  "a rescue dog",
    "a toy maker",      "an engineer",   "a travelling fair", "a printer of maps",
    "a school teacher", "a locomotive",  "a surgeon"};
constexpr std::string_view kPlaces[] = {
    "in a harbour town",      "on a remote island",   "in a mining village",
    "in a capital city",      "in a mountain valley", "along a great river",
    "on a high plateau",      "in a border region",   "in a university town",
    "in a fishing community", "near an old forest",   "in a desert settlement",
    "in a suburb by a lake",  "in a former fortress", "at the end of a railway line"};
constexpr std::string_view kMoments[] = {"around a prize that was won",
                                         "around a long journey",
                                         "around a discovery",
                                         "around a celebration",
                                         "around a rivalry",
                                         "around a fire and what followed",
                                         "around an unusual purchase",
                                         "around a move to another place",
                                         "around a record",
                                         "around a lost object",
                                         "around a new law",
                                         "around an anniversary"};

std::string JoinNames(std::span<const std::string_view> names) {
  return absl::StrJoin(names, ", ",
                       [](std::string* out, std::string_view name) { out->append(name); });
}

std::string Setting(const WritingRules& rules, uint64_t seed, int64_t index) {
  Random random = Random::Keyed(seed, absl::StrCat("llm-setting/", std::string(rules.suite->suite)),
                                static_cast<uint64_t>(index));
  const std::string figure(random.Pick(kFigures));
  const std::string place(random.Pick(kPlaces));
  return absl::StrCat(figure, " ", place, ", ", std::string(random.Pick(kMoments)));
}

// Continues the talk with the model's last answer and what was wrong with it.
void AddFeedback(const Feedback& feedback, std::string_view closing,
                 std::vector<ChatMessage>& messages) {
  if (feedback.problems.empty()) return;
  std::string told = "Your last answer was refused:\n";
  for (size_t i = 0; i < feedback.problems.size() && i < kToldProblems; ++i) {
    absl::StrAppend(&told, "- ", feedback.problems[i].detail, "\n");
  }
  if (feedback.problems.size() > kToldProblems) {
    absl::StrAppend(&told, "- and ", feedback.problems.size() - kToldProblems, " more\n");
  }
  told += closing;
  if (!feedback.answer.empty() && feedback.answer.size() <= kRepeatedBytes) {
    messages.push_back({"assistant", feedback.answer});
    messages.push_back({"user", told});
  } else {  // two turns of one speaker in a row are refused by many chat templates
    absl::StrAppend(&messages.back().content, "\n\n", told);
  }
}

std::string JsonText(const std::string& text) { return nlohmann::json(text).dump(); }

}  // namespace

std::vector<ChatMessage> PassagePrompt(const WritingRules& rules, WordRange words, uint64_t seed,
                                       int64_t index, const Feedback& feedback) {
  std::string ask = absl::StrCat(
      "Write a passage. ", std::string(rules.brief), "\nIt is about ", Setting(rules, seed, index),
      ".\n\nRules:\n- The passage is plain prose in whole sentences. It has ", words.low, " to ",
      words.high, " words; aim at ", (words.low + words.high) / 2,
      ".\n- Every proper name in it is invented. No real person, place, organization or event is "
      "named.\n- \"entities\" lists every proper name of the passage in full, spelt as in the "
      "passage, the subject first; at least ",
      rules.least_entities, ". The type is one of ", JoinNames(kAnswerTypes),
      ".\n- \"facts\" lists at least ", rules.least_facts, " facts, at least ",
      rules.least_subject_facts,
      " of them about the first entity. \"subject\" is a name of \"entities\". \"value\" is copied "
      "from the passage letter by letter, has 1 to 8 words, and stands in the passage exactly "
      "once, unless it is a name of \"entities\".\n");
  const Range& mentions = rules.suite->reverse_occurrences;
  absl::StrAppend(&ask, "- The subject's full name stands in the passage ", mentions.low, " to ",
                  mentions.high,
                  " times, no other entity's more often; elsewhere say he, she, it.\n");
  if (rules.parts > 1) {
    absl::StrAppend(&ask, "- Each of the passage's ", rules.parts, " equal parts states a fact.\n");
  }
  if (rules.chain) {
    absl::StrAppend(&ask, "- The first ", rules.least_entities,
                    " entities are the linked ones, in the order of the links; each has a fact "
                    "whose value is the next one's name.\n");
  }
  absl::StrAppend(
      &ask,
      "\nAnswer in this form:\n{\"passage\": \"...\", \"entities\": [{\"name\": \"...\", "
      "\"type\": \"Person\"}], \"facts\": [{\"subject\": \"...\", \"attribute\": "
      "\"profession\", \"value\": \"...\"}]}");
  std::vector<ChatMessage> messages = {{"system", std::string(kSystem)}, {"user", ask}};
  AddFeedback(feedback, "Write the whole answer again, with all of this mended.", messages);
  return messages;
}

std::vector<ChatMessage> QuestionsPrompt(const WritingRules& rules, const Draft& draft,
                                         const QuestionSet& taken, const Feedback& feedback) {
  std::string ask = absl::StrCat("Ask questions about this passage:\n\n", draft.passage,
                                 "\n\nEntities, the subject first:\n");
  for (const Entity& entity : draft.entities) {
    absl::StrAppend(&ask, JsonText(entity.name), " (", entity.type, ")\n");
  }
  absl::StrAppend(&ask, "\nFacts:\n");
  for (const Fact& fact : draft.facts) {
    absl::StrAppend(&ask, "{\"subject\": ", JsonText(fact.subject),
                    ", \"attribute\": ", JsonText(fact.attribute),
                    ", \"value\": ", JsonText(fact.value), "}\n");
  }
  absl::StrAppend(&ask, "\nWanted, no more and no fewer:\n");
  for (const QuestionSet::Need& need : taken.Needs()) {
    absl::StrAppend(&ask, "- hop ", need.hop, ": ", need.forward, " forward, ", need.reverse,
                    " reverse\n");
  }
  absl::StrAppend(
      &ask,
      "\nRules:\n- A forward question names an entity in full and asks for one of its attributes. "
      "A reverse question names an attribute and asks for the entity; its answer is the entity's "
      "full name.\n- Every answer is copied from the passage letter by letter, has at most 10 "
      "words, stands in the passage exactly once unless it is an entity's name, and does not stand "
      "in its question.\n- No two questions ask the same.\n- \"answer_type\" is one of ",
      JoinNames(kAnswerTypes), ".\n- \"question_type\" is one of ",
      JoinNames(rules.suite->question_types),
      ". Standard: the answer is stated explicitly; Manipulated: it is a part of what is stated, "
      "such as a last name; Part: several places must be read.\n- ",
      std::string(rules.ask), "\n");
  const std::vector<Question> accepted = taken.InOrder();
  if (!accepted.empty()) absl::StrAppend(&ask, "\nAsked already, not to be asked again:\n");
  for (const Question& question : accepted) {
    absl::StrAppend(&ask, "- ", question.question, " ", question.answer, "\n");
  }
  absl::StrAppend(&ask,
                  "\nAnswer in this form:\n{\"questions\": [{\"question\": \"...\", \"answer\": "
                  "\"...\", \"direction\": \"forward\", \"answer_type\": \"Thing\", "
                  "\"question_type\": \"Standard\", \"hop\": 0}]}");
  std::vector<ChatMessage> messages = {{"system", std::string(kSystem)}, {"user", ask}};
  AddFeedback(feedback, "Ask only what is wanted now, with this mended.", messages);
  return messages;
}

}  // namespace kvscope::orchestrator::llm
