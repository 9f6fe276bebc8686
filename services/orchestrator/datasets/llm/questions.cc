#include "services/orchestrator/datasets/llm/questions.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/orchestrator/datasets/grounding.h"

namespace kvscope::orchestrator::llm {
namespace {

using nlohmann::json;

constexpr size_t kMaxQuestions = 200;
constexpr size_t kMaxTextBytes = 1000;
constexpr int kMaxAnswerWords = 10;
constexpr size_t kToldBytes = 300;

std::string InQuotes(std::string_view text) { return absl::StrCat("\"", std::string(text), "\""); }

Problem Malformed(const std::string& detail, const std::string& text = "") {
  return {"malformed", detail, text};
}

// The text in `element[key]`, without white space around it; empty where there is none.
std::string TextOf(const json& element, const char* key) {
  const auto field = element.is_object() ? element.find(key) : element.end();
  if (!element.is_object() || field == element.end() || !field->is_string()) return "";
  std::string text(absl::StripAsciiWhitespace(field->get_ref<const std::string&>()));
  return text.size() > kMaxTextBytes || text.find('\0') != std::string::npos ? "" : text;
}

// Two questions are the same if nothing but case, spacing and punctuation tells them apart.
std::string QuestionKey(std::string_view question) {
  std::string key = NormalizeText(question);
  std::erase_if(key, [](char c) { return absl::ascii_ispunct(static_cast<unsigned char>(c)); });
  return key;
}

std::string Told(const Question& question) {
  return absl::StrCat("the question ", InQuotes(question.question), " with the answer ",
                      InQuotes(question.answer));
}

}  // namespace

QuestionSet::QuestionSet(const Draft& draft, const WritingRules& rules)
    : draft_(draft), rules_(rules), passage_(draft.passage) {}

std::vector<Problem> QuestionSet::Take(const json& answer) {
  const auto list = answer.find("questions");
  if (list == answer.end() || !list->is_array()) {
    return {Malformed("the answer has no list \"questions\"")};
  }
  if (list->size() > kMaxQuestions) {
    return {Malformed(absl::StrCat("\"questions\" has more than ", kMaxQuestions, " elements"))};
  }
  std::vector<Problem> problems;
  for (const json& element : *list) {
    Question question;
    std::optional<Problem> problem = ReadQuestion(element, question);
    if (!problem) problem = GroundingProblem(question);
    if (!problem) problem = RepetitionProblem(question);
    if (!problem) problem = LinkProblem(question);
    if (!problem) {
      const bool forward = question.direction == kForward;
      if (CountOf(question.hop, question.direction) >=
          (forward ? rules_.forward() : rules_.reverse())) {
        problem = {"surplus", absl::StrCat(Told(question), " is one ", question.direction,
                                           " question of hop ", question.hop, " too many")};
      }
    }
    if (problem) {
      if (problem->text.empty())
        problem->text = absl::StrCat(question.question, " ", question.answer);
      problems.push_back(*std::move(problem));
    } else {
      taken_.push_back(std::move(question));
    }
  }
  return problems;
}

std::optional<Problem> QuestionSet::ReadQuestion(const json& element, Question& question) const {
  question.question = TextOf(element, "question");
  question.answer = TextOf(element, "answer");
  if (question.question.empty() || question.answer.empty()) {
    std::string text = element.dump(-1, ' ', /*ensure_ascii=*/true, json::error_handler_t::replace);
    text.resize(std::min(text.size(), kToldBytes));
    return Malformed("a question has no text \"question\", or no text \"answer\"", text);
  }
  const auto bad_tag = [&](std::string_view tag, const std::string& value,
                           std::span<const std::string_view> allowed) -> Problem {
    const std::string known =
        absl::StrJoin(allowed, ", ", [](std::string* out, auto name) { out->append(name); });
    return {"bad_tag", absl::StrCat(Told(question), " has the ", std::string(tag), " ",
                                    InQuotes(value), ", it must be one of ", known)};
  };
  static constexpr std::string_view kDirections[] = {kForward, kReverse};
  const std::string direction = TextOf(element, "direction");
  question.direction = absl::AsciiStrToLower(direction);
  if (question.direction != kForward && question.direction != kReverse) {
    return bad_tag("direction", direction, kDirections);
  }
  const std::string answer_type = TextOf(element, "answer_type");
  question.answer_type = AnswerTypeOf(answer_type);
  if (question.answer_type.empty()) return bad_tag("answer_type", answer_type, kAnswerTypes);
  const std::string question_type = TextOf(element, "question_type");
  for (const std::string_view type : rules_.suite->question_types) {
    if (absl::EqualsIgnoreCase(std::string(type), question_type)) question.question_type = type;
  }
  if (question.question_type.empty()) {
    return bad_tag("question_type", question_type, rules_.suite->question_types);
  }
  if (rules_.deepest_hop() == 0) return std::nullopt;
  const auto hop = element.find("hop");
  const bool whole = hop != element.end() && hop->is_number_integer();
  question.hop = whole ? hop->get<int64_t>() : -1;
  if (question.hop < 0 || question.hop > rules_.deepest_hop()) {
    return Problem{"bad_tag",
                   absl::StrCat(Told(question), " has no hop from 0 to ", rules_.deepest_hop())};
  }
  return std::nullopt;
}

std::optional<Problem> QuestionSet::GroundingProblem(const Question& question) const {
  const std::vector<Evidence> places = passage_.FindWords(question.answer);
  if (places.empty()) {
    return Problem{
        "ungrounded",
        absl::StrCat(Told(question), ": the answer does not stand in the passage word for word")};
  }
  if (CountWords(question.answer) > kMaxAnswerWords) {
    return Problem{"answer_too_long", absl::StrCat(Told(question), ": the answer has more than ",
                                                   kMaxAnswerWords, " words")};
  }
  if (places.size() > 1 && !IsEntity(draft_, question.answer)) {
    return Problem{"repeated_answer",
                   absl::StrCat(Told(question), ": the answer stands in the passage ",
                                places.size(), " times, it may only once")};
  }
  const Range& allowed = rules_.suite->reverse_occurrences;
  if (question.direction == kReverse && IsEntity(draft_, question.answer) &&
      !allowed.Contains(static_cast<int64_t>(places.size()))) {
    return Problem{"mentions", absl::StrCat(Told(question), ": this name stands in the passage ",
                                            places.size(), " times; ask for one that stands there ",
                                            allowed.low, " to ", allowed.high, " times")};
  }
  if (AnswerFinder(question.question).HoldsWords(question.answer)) {
    return Problem{"answer_in_question", absl::StrCat(Told(question), " gives its answer away")};
  }
  return std::nullopt;
}

std::optional<Problem> QuestionSet::RepetitionProblem(const Question& question) const {
  const std::string key = QuestionKey(question.question);
  const std::string answer = NormalizeText(question.answer);
  for (const Question& other : taken_) {
    if (QuestionKey(other.question) == key) {
      return Problem{"duplicate_question", absl::StrCat(Told(question), " was asked before")};
    }
    if (question.direction == kForward && other.direction == kForward &&
        question.hop == other.hop && NormalizeText(other.answer) == answer) {
      return Problem{"duplicate_answer",
                     absl::StrCat(Told(question), ": another question has this answer already")};
    }
  }
  return std::nullopt;
}

bool QuestionSet::NamesEntity(const std::string& question) const {
  const AnswerFinder index(question);
  return std::any_of(draft_.entities.begin(), draft_.entities.end(),
                     [&](const Entity& entity) { return index.HoldsWords(entity.name); });
}

std::optional<Problem> QuestionSet::LinkProblem(const Question& question) const {
  const bool forward = question.direction == kForward;
  if (forward && !NamesEntity(question.question)) {
    return Problem{"no_entity_named",
                   absl::StrCat(Told(question),
                                " is forward, so it must name an entity of the passage in full")};
  }
  if (!forward && !IsEntity(draft_, question.answer)) {
    return Problem{
        "not_an_entity",
        absl::StrCat(Told(question), " is reverse, so its answer must be an entity's full name")};
  }
  if (rules_.deepest_hop() == 0) return std::nullopt;
  const AnswerFinder index(question.question);
  const std::string& subject = draft_.entities[0].name;
  if (forward && !index.HoldsWords(subject)) {
    return Problem{"wrong_hop",
                   absl::StrCat(Told(question), " must name the subject ", InQuotes(subject))};
  }
  if (!forward && NormalizeText(question.answer) != NormalizeText(subject)) {
    return Problem{"wrong_hop", absl::StrCat(Told(question), " is reverse, so it must ask for ",
                                             InQuotes(subject))};
  }
  const auto last = std::min<size_t>(draft_.entities.size(), static_cast<size_t>(question.hop) + 1);
  for (size_t i = 1; i < last; ++i) {
    if (!index.HoldsWords(draft_.entities[i].name)) continue;
    return Problem{"wrong_hop",
                   absl::StrCat(Told(question), " names ", InQuotes(draft_.entities[i].name),
                                ", which stands on its way of ", question.hop, " hops")};
  }
  return std::nullopt;
}

int QuestionSet::CountOf(int64_t hop, std::string_view direction) const {
  return static_cast<int>(std::count_if(taken_.begin(), taken_.end(), [&](const Question& q) {
    return q.hop == hop && q.direction == direction;
  }));
}

std::vector<QuestionSet::Need> QuestionSet::Needs() const {
  std::vector<Need> needs;
  for (int64_t hop = 0; hop <= rules_.deepest_hop(); ++hop) {
    const Need need = {hop, rules_.forward() - CountOf(hop, kForward),
                       rules_.reverse() - CountOf(hop, kReverse)};
    if (need.forward > 0 || need.reverse > 0) needs.push_back(need);
  }
  return needs;
}

std::vector<Question> QuestionSet::InOrder() const {
  std::vector<Question> questions = taken_;
  std::stable_sort(questions.begin(), questions.end(), [](const Question& a, const Question& b) {
    return std::pair(a.hop, a.direction != kForward) < std::pair(b.hop, b.direction != kForward);
  });
  for (Question& question : questions) question.evidence = passage_.FindWords(question.answer);
  return questions;
}

}  // namespace kvscope::orchestrator::llm
