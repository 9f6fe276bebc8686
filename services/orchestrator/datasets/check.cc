#include "services/orchestrator/datasets/check.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <unordered_map>

#include "absl/strings/str_cat.h"
#include "services/orchestrator/datasets/check_passage.h"
#include "services/orchestrator/datasets/check_suite.h"
#include "services/orchestrator/datasets/jsonl.h"

namespace kvscope::orchestrator {
namespace {

constexpr size_t kToldFindings = 20;

void CountQuestion(const Question& question, const AnswerFacts& answer, DatasetCheck& row) {
  ++row.directions[question.direction];
  ++row.answer_types[question.answer_type];
  ++row.question_types[question.question_type];
  ++row.hops[question.hop];
  row.untagged +=
      question.direction.empty() || question.answer_type.empty() || question.question_type.empty();
  row.unanswerable += answer.form == AnswerForm::kUnknown;
  row.transformed += answer.form == AnswerForm::kTransformed;
  row.in_parts += answer.form == AnswerForm::kParts;
  if (answer.form == AnswerForm::kUnknown) return;
  for (const CountedText& piece : answer.pieces) row.occurrences.Add(piece.count);
  if (question.evidence.empty()) {
    ++row.without_evidence;
  } else {
    row.evidence.Add(static_cast<int64_t>(question.evidence.size()));
  }
}

// Fills a report passage by passage.
class Checker {
 public:
  explicit Checker(CheckReport& report) : report_(report) {}

  void Add(const Passage& passage, int64_t line) {
    const size_t index = RowOf(passage.dataset);
    DatasetCheck& row = report_.datasets[index];
    const PassageFacts facts = CheckPassage(passage);
    ++row.passages;
    row.questions += static_cast<int64_t>(passage.questions.size());
    row.words.Add(facts.words);
    row.questions_each.Add(static_cast<int64_t>(passage.questions.size()));
    for (size_t i = 0; i < passage.questions.size(); ++i) {
      CountQuestion(passage.questions[i], facts.answers[i], row);
    }
    const std::string where = absl::StrCat(report_.path, ":", line);
    Tell(facts.findings, where, row);
    const SuiteRule* rule = RuleOf(passage);
    if (rule == nullptr) return;
    ++row.held;
    Tell(HoldToRule(*rule, passage, facts), where, row);
    totals_[index].Add(*rule, passage);
  }

  void End() {
    for (size_t i = 0; i < report_.datasets.size(); ++i) {
      Tell(totals_[i].Findings(), report_.path, report_.datasets[i]);
    }
  }

 private:
  size_t RowOf(const std::string& dataset) {
    const auto [entry, is_new] = rows_.try_emplace(dataset, report_.datasets.size());
    if (is_new) report_.datasets.emplace_back().dataset = dataset;
    return entry->second;
  }

  void Tell(const std::vector<Finding>& findings, const std::string& where, DatasetCheck& row) {
    for (const Finding& finding : findings) {
      ++row.findings[static_cast<size_t>(finding.kind)];
      ++report_.finding_count;
      if (report_.findings.size() == kToldFindings) continue;
      report_.findings.push_back(absl::StrCat(where, ": ", finding.what));
    }
  }

  CheckReport& report_;
  std::unordered_map<std::string, size_t> rows_;  // in report_.datasets
  std::unordered_map<size_t, SuiteTotals> totals_;
};

bool IsInSomeSuite(std::string_view tag, std::span<const std::string_view> SuiteRule::*tags) {
  const auto rules = SuiteRules();
  return std::any_of(rules.begin(), rules.end(), [&](const SuiteRule& rule) {
    return std::find((rule.*tags).begin(), (rule.*tags).end(), tag) != (rule.*tags).end();
  });
}

}  // namespace

void Spread::Add(int64_t value) {
  min_ = count_ == 0 ? value : std::min(min_, value);
  max_ = count_ == 0 ? value : std::max(max_, value);
  ++count_;
  sum_ += static_cast<double>(value);
  squares_ += static_cast<double>(value) * static_cast<double>(value);
}

double Spread::mean() const { return count_ == 0 ? 0 : sum_ / static_cast<double>(count_); }

double Spread::deviation() const {
  if (count_ == 0) return 0;
  return std::sqrt(std::max(0.0, squares_ / static_cast<double>(count_) - mean() * mean()));
}

int64_t DatasetCheck::Findings(Principle principle) const {
  int64_t count = 0;
  for (size_t kind = 0; kind < kFindingKinds.size(); ++kind) {
    if (kFindingKinds[kind].principle == principle) count += findings[kind];
  }
  return count;
}

double DatasetCheck::ForwardShare() const {
  const auto count = [&](std::string_view direction) {
    const auto found = directions.find(std::string(direction));
    return found == directions.end() ? int64_t{0} : found->second;
  };
  const int64_t forward = count(kForward);
  const int64_t both = forward + count(kReverse);
  return both == 0 ? -1 : static_cast<double>(forward) / static_cast<double>(both);
}

bool IsPaperAnswerType(std::string_view tag) {
  return IsInSomeSuite(tag, &SuiteRule::answer_types);
}

bool IsPaperQuestionType(std::string_view tag) {
  return IsInSomeSuite(tag, &SuiteRule::question_types);
}

absl::StatusOr<CheckReport> CheckDataset(const std::string& path) {
  absl::StatusOr<PassageReader> reader = PassageReader::Open(path);
  if (!reader.ok()) return reader.status();
  CheckReport report;
  report.path = path;
  Checker checker(report);
  while (true) {
    const absl::StatusOr<std::optional<Passage>> next = reader->Next();
    if (!next.ok()) return next.status();
    if (!next->has_value()) break;
    checker.Add(**next, reader->line());
  }
  checker.End();
  return report;
}

}  // namespace kvscope::orchestrator
