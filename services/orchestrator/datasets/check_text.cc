// A check's report for people.
#include <algorithm>
#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "services/orchestrator/datasets/check.h"
#include "services/orchestrator/sweep/utf8.h"

namespace kvscope::orchestrator {
namespace {

using Row = std::vector<std::string>;

constexpr size_t kColumns = 100;
constexpr size_t kNameColumns = 16;
constexpr size_t kTagColumns = 17;  // before the first tag

// "175 ± 25": the mean and half the range; "32" where all are equal.
std::string HalfRangeText(const Spread& spread) {
  if (spread.min() == spread.max()) return absl::StrCat(spread.min());
  const auto half = static_cast<double>(spread.max() - spread.min()) / 2;
  return absl::StrFormat("%.0f ± %.0f", spread.mean(), std::ceil(half));
}

// "1.4 (1-6)": the mean and the range; "1" where all are equal, "-" where there is none.
std::string RangeText(const Spread& spread) {
  if (spread.count() == 0) return "-";
  if (spread.min() == spread.max()) return absl::StrCat(spread.min());
  return absl::StrFormat("%.1f (%d-%d)", spread.mean(), spread.min(), spread.max());
}

std::string ForwardText(const DatasetCheck& row) {
  const double share = row.ForwardShare();
  return share < 0 ? "-" : absl::StrFormat("%.1f %%", share * 100);
}

// A name or tag of the file, fit for a terminal.
std::string Shown(const std::string& name) {
  const bool plain = std::none_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_iscntrl(static_cast<unsigned char>(c));
  });
  return plain ? name : Quoted(name);
}

std::string ShortName(const std::string& name) {
  std::string shown = Shown(name);
  if (CountCodePoints(shown) <= kNameColumns) return shown;
  return std::string(CodePointSlice(shown, 0, kNameColumns - 3)) + "...";
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
    while (text.back() == ' ') text.pop_back();
    text += '\n';
  }
  return text;
}

std::string SizeTable(const CheckReport& report) {
  std::vector<Row> rows = {
      {"data set", "words a passage", "questions a passage", "passages", "questions", "forward"}};
  int64_t passages = 0;
  int64_t questions = 0;
  for (const DatasetCheck& row : report.datasets) {
    rows.push_back({ShortName(row.dataset), HalfRangeText(row.words), RangeText(row.questions_each),
                    absl::StrCat(row.passages), absl::StrCat(row.questions), ForwardText(row)});
    passages += row.passages;
    questions += row.questions;
  }
  if (report.datasets.size() > 1) {
    rows.push_back({"in all", "", "", absl::StrCat(passages), absl::StrCat(questions), ""});
  }
  return absl::StrCat("Sizes (words: mean ± half the range)\n", Table(rows));
}

std::string PrincipleTable(const CheckReport& report) {
  std::vector<Row> rows = {{"data set", "stands", "evidence", "without"}};
  for (const std::string_view principle : kPrinciples) rows[0].emplace_back(principle);
  for (const DatasetCheck& row : report.datasets) {
    rows.push_back({ShortName(row.dataset), RangeText(row.occurrences), RangeText(row.evidence),
                    absl::StrCat(row.without_evidence)});
    for (size_t i = 0; i < kPrinciples.size(); ++i) {
      rows.back().push_back(absl::StrCat(row.Findings(static_cast<Principle>(i))));
    }
  }
  return absl::StrCat(
      "Answers (how often one stands in its passage, its evidence, how many are without) "
      "and findings\n",
      Table(rows));
}

// The counts of a tag, wrapped; a star at those for which `known` does not hold.
template <typename Key, typename Known>
std::string TagLines(const char* title, const std::map<Key, int64_t>& counts, Known known,
                     bool& starred) {
  std::string text = absl::StrFormat("  %-14s ", title);
  size_t column = kTagColumns;
  size_t left = counts.size();
  for (const auto& [tag, count] : counts) {
    const std::string name = Shown(absl::StrCat(tag));
    const bool star = !name.empty() && !known(tag);
    starred |= star;
    const std::string item = absl::StrCat(name.empty() ? "(none)" : name, star ? "* " : " ", count,
                                          --left == 0 ? "" : ",");
    const size_t width = CountCodePoints(item);
    if (column > kTagColumns && column + 1 + width > kColumns) {
      absl::StrAppend(&text, "\n", std::string(kTagColumns, ' '));
      column = kTagColumns;
    } else if (column > kTagColumns) {
      text += ' ';
      ++column;
    }
    text += item;
    column += width;
  }
  return text + "\n";
}

std::string Tags(const DatasetCheck& row, bool& starred) {
  const auto any = [](const auto&) { return true; };
  return absl::StrCat("\n", Shown(row.dataset), "\n",
                      TagLines("direction", row.directions, any, starred),
                      TagLines("answer type", row.answer_types, IsPaperAnswerType, starred),
                      TagLines("question type", row.question_types, IsPaperQuestionType, starred),
                      TagLines("hop", row.hops, any, starred));
}

}  // namespace

std::string CheckText(const CheckReport& report) {
  std::string text = absl::StrCat(SizeTable(report), "\n", PrincipleTable(report));
  bool starred = false;
  for (const DatasetCheck& row : report.datasets) text += Tags(row, starred);
  if (starred) text += "\n* not one of the paper's tags\n";
  if (report.ok()) return text;
  absl::StrAppend(&text, "\n", report.finding_count,
                  report.finding_count == 1 ? " finding\n" : " findings\n");
  for (const std::string& finding : report.findings) absl::StrAppend(&text, "  ", finding, "\n");
  const auto untold = report.finding_count - static_cast<int64_t>(report.findings.size());
  if (untold > 0) absl::StrAppend(&text, "  and ", untold, " more\n");
  return text;
}

}  // namespace kvscope::orchestrator
