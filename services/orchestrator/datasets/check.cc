#include "services/orchestrator/datasets/check.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "services/orchestrator/datasets/grounding.h"
#include "services/orchestrator/datasets/jsonl.h"
#include "services/orchestrator/sweep/utf8.h"

namespace kvscope::orchestrator {
namespace {

constexpr size_t kToldFindings = 20;

void AddFinding(CheckReport& report, int64_t line, size_t question, const std::string& what) {
  ++report.finding_count;
  if (report.findings.size() == kToldFindings) return;
  report.findings.push_back(
      absl::StrCat(report.path, ":", line, ": questions[", question, "].", what));
}

DatasetCheck& RowOf(CheckReport& report, const std::string& dataset) {
  const auto row = std::find_if(report.datasets.begin(), report.datasets.end(),
                                [&](const DatasetCheck& d) { return d.dataset == dataset; });
  if (row != report.datasets.end()) return *row;
  report.datasets.emplace_back();
  report.datasets.back().dataset = dataset;
  return report.datasets.back();
}

bool AnyOccurs(const Question& question, const std::string& normalized) {
  return Occurs(question.answer, normalized) ||
         std::any_of(question.aliases.begin(), question.aliases.end(),
                     [&](const std::string& alias) { return Occurs(alias, normalized); });
}

void CheckQuestion(const Passage& passage, const std::string& normalized_context, size_t index,
                   int64_t line, DatasetCheck& row, CheckReport& report) {
  const Question& question = passage.questions[index];
  ++row.directions[question.direction];
  ++row.answer_types[question.answer_type];
  ++row.question_types[question.question_type];
  ++row.hops[question.hop];
  if (Abstains(question.answer)) {
    ++row.unanswerable;
    return;
  }
  row.without_evidence += question.evidence.empty();
  if (!AnyOccurs(question, normalized_context)) {
    if (question.question_type == kManipulated) {
      ++row.transformed;
      return;
    }
    ++row.ungrounded;
    AddFinding(report, line, index,
               absl::StrCat("answer: ", Quoted(question.answer),
                            " does not occur in the context, as an answer must unless it is \"",
                            std::string(kUnknownAnswer), "\" or the question Manipulated"));
    return;
  }
  const bool held =
      std::any_of(question.evidence.begin(), question.evidence.end(), [&](const Evidence& span) {
        const auto text = CodePointSlice(passage.context, span.start, span.end);
        return AnyOccurs(question, NormalizeText(text));
      });
  if (question.evidence.empty() || held) return;
  ++row.evidence_mismatch;
  const Evidence& first = question.evidence.front();
  AddFinding(
      report, line, index,
      absl::StrCat("evidence: ", Quoted(CodePointSlice(passage.context, first.start, first.end)),
                   " does not hold the answer ", Quoted(question.answer)));
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

absl::StatusOr<CheckReport> CheckDataset(const std::string& path) {
  absl::StatusOr<PassageReader> reader = PassageReader::Open(path);
  if (!reader.ok()) return reader.status();
  CheckReport report;
  report.path = path;
  while (true) {
    const absl::StatusOr<std::optional<Passage>> next = reader->Next();
    if (!next.ok()) return next.status();
    if (!next->has_value()) return report;
    const Passage& passage = **next;
    DatasetCheck& row = RowOf(report, passage.dataset);
    ++row.passages;
    row.questions += static_cast<int64_t>(passage.questions.size());
    row.words.Add(CountWords(passage.context));
    row.questions_each.Add(static_cast<int64_t>(passage.questions.size()));
    const std::string normalized = NormalizeText(passage.context);
    for (size_t i = 0; i < passage.questions.size(); ++i) {
      CheckQuestion(passage, normalized, i, reader->line(), row, report);
    }
  }
}

}  // namespace kvscope::orchestrator
