// A check's report, for people and for programs.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "services/orchestrator/datasets/check.h"
#include "services/orchestrator/sweep/utf8.h"

namespace kvscope::orchestrator {
namespace {

using nlohmann::ordered_json;
using Row = std::vector<std::string>;

// "175 ± 25", or "32" where all are equal.
std::string SpreadText(const Spread& spread) {
  if (spread.min() == spread.max()) return absl::StrCat(spread.min());
  return absl::StrFormat("%.0f ± %.0f", spread.mean(), spread.deviation());
}

// The first column flush left, the others flush right.
std::string Table(const std::vector<Row>& rows) {
  std::vector<size_t> widths(rows.front().size());
  for (const Row& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], CountCodePoints(row[i]));
    }
  }
  std::string text;
  for (const Row& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string pad(widths[i] - CountCodePoints(row[i]), ' ');
      absl::StrAppend(&text, i == 0 ? "" : "  ", i == 0 ? row[i] + pad : pad + row[i]);
    }
    text += '\n';
  }
  return text;
}

template <typename Key>
std::string TagLine(const char* title, const std::map<Key, int64_t>& counts) {
  std::string line;
  for (const auto& [tag, count] : counts) {
    const std::string name = absl::StrCat(tag);
    absl::StrAppend(&line, line.empty() ? "" : ", ", name.empty() ? "(none)" : name, " ", count);
  }
  return absl::StrFormat("  %-14s %s\n", title, line);
}

ordered_json SpreadJson(const Spread& spread) {
  return {{"mean", spread.mean()},
          {"deviation", spread.deviation()},
          {"min", spread.min()},
          {"max", spread.max()}};
}

template <typename Key>
ordered_json TagJson(const std::map<Key, int64_t>& counts) {
  ordered_json tags = ordered_json::object();
  for (const auto& [tag, count] : counts) tags[absl::StrCat(tag)] = count;
  return tags;
}

ordered_json DatasetJson(const DatasetCheck& row) {
  return {{"dataset", row.dataset},
          {"passages", row.passages},
          {"questions", row.questions},
          {"words_per_passage", SpreadJson(row.words)},
          {"questions_per_passage", SpreadJson(row.questions_each)},
          {"unanswerable", row.unanswerable},
          {"transformed", row.transformed},
          {"ungrounded", row.ungrounded},
          {"without_evidence", row.without_evidence},
          {"evidence_mismatch", row.evidence_mismatch},
          {"directions", TagJson(row.directions)},
          {"answer_types", TagJson(row.answer_types)},
          {"question_types", TagJson(row.question_types)},
          {"hops", TagJson(row.hops)}};
}

}  // namespace

std::string CheckText(const CheckReport& report) {
  std::vector<Row> rows = {{"data set", "words per passage", "questions per passage", "passages",
                            "questions", "ungrounded", "evidence wrong", "without evidence"}};
  for (const DatasetCheck& row : report.datasets) {
    rows.push_back({row.dataset, SpreadText(row.words), SpreadText(row.questions_each),
                    absl::StrCat(row.passages), absl::StrCat(row.questions),
                    absl::StrCat(row.ungrounded), absl::StrCat(row.evidence_mismatch),
                    absl::StrCat(row.without_evidence)});
  }
  std::string text = Table(rows);
  for (const DatasetCheck& row : report.datasets) {
    absl::StrAppend(&text, "\n", row.dataset, "\n", TagLine("direction", row.directions),
                    TagLine("answer type", row.answer_types),
                    TagLine("question type", row.question_types), TagLine("hop", row.hops));
  }
  if (report.ok()) return text;
  absl::StrAppend(&text, "\n", report.finding_count, " findings\n");
  for (const std::string& finding : report.findings) absl::StrAppend(&text, "  ", finding, "\n");
  const auto untold = report.finding_count - static_cast<int64_t>(report.findings.size());
  if (untold > 0) absl::StrAppend(&text, "  and ", untold, " more\n");
  return text;
}

std::string CheckJson(const CheckReport& report) {
  ordered_json datasets = ordered_json::array();
  for (const DatasetCheck& row : report.datasets) datasets.push_back(DatasetJson(row));
  const ordered_json object = {{"file", report.path},
                               {"ok", report.ok()},
                               {"finding_count", report.finding_count},
                               {"findings", report.findings},
                               {"datasets", std::move(datasets)}};
  return object.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace kvscope::orchestrator
