#include "services/orchestrator/datasets/check_suite.h"

#include <algorithm>
#include <span>
#include <string_view>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/orchestrator/sweep/utf8.h"

namespace kvscope::orchestrator {
namespace {

std::string RangeText(const Range& range) {
  if (range.low == range.high) return absl::StrCat(range.low);
  return absl::StrCat(range.low, " to ", range.high);
}

std::string NameOf(const SuiteRule& rule) {
  return absl::StrCat(std::string(rule.suite), " at ", std::string(ScaleName(rule.scale)),
                      " scale");
}

std::string Listed(std::span<const std::string_view> names) {
  return absl::StrJoin(names, ", ",
                       [](std::string* text, std::string_view name) { text->append(name); });
}

// Cuts `prefix` off the front of `text`, if it is there.
bool Consume(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

bool ConsumeDigits(std::string_view& text) {
  const auto* end = std::find_if_not(text.begin(), text.end(),
                                     [](unsigned char c) { return absl::ascii_isdigit(c); });
  const auto digits = static_cast<size_t>(end - text.begin());
  text.remove_prefix(digits);
  return digits > 0;
}

bool HasScale(const Passage& passage, Scale scale) {
  std::string_view id = passage.passage_id;
  return Consume(id, passage.dataset) && Consume(id, "-") && Consume(id, ScaleName(scale)) &&
         Consume(id, "-") && ConsumeDigits(id) && Consume(id, "-") && ConsumeDigits(id) &&
         id.empty();
}

class Holder {
 public:
  Holder(const SuiteRule& rule, std::vector<Finding>& findings)
      : rule_(rule), findings_(findings) {}

  void Count(FindingKind kind, const char* field, int64_t count, const char* noun,
             const Range& allowed) {
    if (allowed.Contains(count)) return;
    findings_.push_back({kind, absl::StrCat(field, ": has ", count, " ", noun, ", ", NameOf(rule_),
                                            " has ", RangeText(allowed))});
  }

  void Hops(const Passage& passage) {
    std::set<int64_t> hops;
    for (const Question& question : passage.questions) hops.insert(question.hop);
    if (std::equal(hops.begin(), hops.end(), rule_.hops.begin(), rule_.hops.end())) return;
    findings_.push_back({FindingKind::kHops,
                         absl::StrCat("questions: are of hops ", absl::StrJoin(hops, ", "), ", ",
                                      NameOf(rule_), " has ", absl::StrJoin(rule_.hops, ", "))});
  }

  void Tag(FindingKind kind, size_t question, const char* field, const std::string& tag,
           std::span<const std::string_view> allowed) {
    if (std::find(allowed.begin(), allowed.end(), tag) != allowed.end()) return;
    findings_.push_back(
        {kind, absl::StrCat("questions[", question, "].", field, ": is ", Quoted(tag), ", ",
                            NameOf(rule_), " has ", Listed(allowed))});
  }

  void Occurrences(size_t index, const Question& question, const AnswerFacts& answer) {
    for (const CountedText& piece : answer.pieces) Occurs(index, question, piece);
    if (answer.form == AnswerForm::kTransformed) Occurs(index, question, {question.answer, 0});
  }

 private:
  void Occurs(size_t index, const Question& question, const CountedText& piece) {
    const Range& allowed =
        question.direction == kForward ? rule_.forward_occurrences : rule_.reverse_occurrences;
    if (allowed.Contains(piece.count)) return;
    findings_.push_back(
        {FindingKind::kOccurrences,
         absl::StrCat("questions[", index, "].answer: ", Quoted(piece.text),
                      " stands in the context ", piece.count, " times, the answer of a ",
                      question.direction, " question of ", NameOf(rule_), " ", RangeText(allowed),
                      " times")});
  }

  const SuiteRule& rule_;
  std::vector<Finding>& findings_;
};

}  // namespace

const SuiteRule* RuleOf(const Passage& passage) {
  for (const SuiteRule& rule : SuiteRules()) {
    if (rule.suite == passage.dataset && HasScale(passage, rule.scale)) return &rule;
  }
  return nullptr;
}

std::vector<Finding> HoldToRule(const SuiteRule& rule, const Passage& passage,
                                const PassageFacts& facts) {
  constexpr std::string_view kDirections[] = {kForward, kReverse};
  std::vector<Finding> findings;
  Holder holder(rule, findings);
  int64_t forward = 0;
  int64_t unknown = 0;
  for (size_t i = 0; i < passage.questions.size(); ++i) {
    const Question& question = passage.questions[i];
    const AnswerFacts& answer = facts.answers[i];
    forward += question.direction == kForward;
    unknown += answer.form == AnswerForm::kUnknown;
    holder.Tag(FindingKind::kDirection, i, "direction", question.direction, kDirections);
    holder.Tag(FindingKind::kAnswerType, i, "answer_type", question.answer_type, rule.answer_types);
    holder.Tag(FindingKind::kQuestionType, i, "question_type", question.question_type,
               rule.question_types);
    holder.Occurrences(i, question, answer);
  }
  const auto asked = static_cast<int64_t>(passage.questions.size());
  holder.Count(FindingKind::kWords, "context", facts.words, "words", rule.words);
  holder.Count(FindingKind::kQuestions, "questions", asked, "elements", rule.questions);
  holder.Count(FindingKind::kForward, "questions", forward, "forward ones", rule.forward);
  holder.Count(FindingKind::kUnknown, "questions", unknown, "without an answer", rule.unknown);
  holder.Hops(passage);
  return findings;
}

void SuiteTotals::Add(const SuiteRule& rule, const Passage& passage) {
  Total& total = totals_[&rule];
  ++total.passages;
  total.questions += static_cast<int64_t>(passage.questions.size());
  for (const Question& question : passage.questions) {
    total.answer_types.insert(question.answer_type);
    total.question_types.insert(question.question_type);
  }
}

std::vector<Finding> SuiteTotals::Findings() const {
  std::vector<Finding> findings;
  for (const auto& entry : totals_) {
    const SuiteRule* rule = entry.first;
    const Total& total = entry.second;
    if (total.passages != rule->passages) continue;
    if (total.questions != rule->total_questions) {
      findings.push_back(
          {FindingKind::kTotal, absl::StrCat("questions: are ", total.questions, " in all, ",
                                             NameOf(*rule), " has ", rule->total_questions)});
    }
    const auto expect_all = [&](FindingKind kind, const char* field,
                                std::span<const std::string_view> names,
                                const std::set<std::string>& seen) {
      for (const std::string_view name : names) {
        if (seen.contains(std::string(name))) continue;
        findings.push_back({kind, absl::StrCat("questions: none has the ", field, " ", Quoted(name),
                                               ", ", NameOf(*rule), " has ", Listed(names))});
      }
    };
    expect_all(FindingKind::kAnswerType, "answer_type", rule->answer_types, total.answer_types);
    expect_all(FindingKind::kQuestionType, "question_type", rule->question_types,
               total.question_types);
  }
  return findings;
}

}  // namespace kvscope::orchestrator
