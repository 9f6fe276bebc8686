// csv: comma-separated values (RFC 4180) with a header.  One question a record; `context`,
// `question` and `answer` are required, `aliases` (divided by |), `id` or `question_id`,
// `passage_id`, `dataset`, `direction`, `answer_type`, `question_type`, `hop` and `answer_start`
// may be there, others are passed over.  Case and blanks around a header's names do not count.
// `--columns question=Frage` says that the header calls `question` `Frage`.
#include <algorithm>
#include <array>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "services/orchestrator/datasets/import/answers.h"
#include "services/orchestrator/datasets/import/csv_records.h"
#include "services/orchestrator/datasets/import/format.h"
#include "services/orchestrator/datasets/import/stripped.h"
#include "services/orchestrator/datasets/passage_json.h"
#include "services/orchestrator/sweep/nearest_name.h"
#include "services/orchestrator/sweep/utf8.h"
#include "services/status_macros.h"

namespace kvscope::orchestrator {
namespace {

enum Column {
  kContext,
  kQuestion,
  kAnswer,
  kAliases,
  kQuestionId,
  kId,
  kPassageId,
  kDatasetName,
  kDirection,
  kAnswerType,
  kQuestionType,
  kHop,
  kAnswerStart,
  kColumns,
};

constexpr std::array<std::string_view, kColumns> kColumnNames = {
    "context",     "question", "answer",    "aliases",     "question_id",   "id",
    "passage_id",  "dataset",  "direction", "answer_type", "question_type", "hop",
    "answer_start"};
constexpr Column kRequired[] = {kContext, kQuestion, kAnswer};

// Where the columns stand, and what the file calls them.
struct Header {
  std::array<std::optional<size_t>, kColumns> index;
  size_t cells = 0;
  FieldNames names;
  std::array<std::string, kColumns> called;
};

std::string Folded(std::string_view name) {
  return absl::AsciiStrToLower(std::string(Stripped(name)));
}

absl::Status CheckMapping(const ImportFile& file) {
  for (const auto& [column, called] : file.columns) {
    if (std::find(kColumnNames.begin(), kColumnNames.end(), column) == kColumnNames.end()) {
      return absl::InvalidArgumentError(absl::StrCat("columns: ", Quoted(column), " is no column",
                                                     KnownNames(column, kColumnNames)));
    }
  }
  return absl::OkStatus();
}

// What the messages call the columns.
void NameFields(Header& header) {
  header.names.context = header.called[kContext];
  header.names.question = header.called[kQuestion];
  header.names.answer = header.called[kAnswer];
  header.names.passage_id = header.called[kPassageId];
  if (!header.index[kQuestionId]) header.index[kQuestionId] = header.index[kId];
  header.names.question_id =
      header.called[header.index[kQuestionId] == header.index[kId] ? kId : kQuestionId];
}

absl::StatusOr<Header> ReadHeader(const ImportFile& file, const CsvRecord& record) {
  const auto error = [&](const std::string& what) {
    return absl::InvalidArgumentError(absl::StrCat(file.path, ":", record.line, ": ", what));
  };
  if (record.problem) return error(record.problem->what);
  Header header;
  header.cells = record.cells.size();
  std::vector<std::string_view> found(record.cells.begin(), record.cells.end());
  for (size_t column = 0; column < kColumns; ++column) {
    const std::string name(kColumnNames[column]);
    const auto mapped = file.columns.find(name);
    header.called[column] = mapped == file.columns.end() ? name : mapped->second;
    for (size_t i = 0; i < record.cells.size(); ++i) {
      if (Folded(record.cells[i]) != Folded(header.called[column])) continue;
      if (header.index[column]) {
        return error(
            absl::StrCat("the header has the column ", Quoted(header.called[column]), " twice"));
      }
      header.index[column] = i;
    }
    const bool required =
        mapped != file.columns.end() ||
        std::find(std::begin(kRequired), std::end(kRequired), column) != std::end(kRequired);
    if (!required || header.index[column]) continue;
    constexpr size_t kTold = 20;
    found.resize(std::min(found.size(), kTold));
    return error(absl::StrCat(
        "the header has no column ", Quoted(header.called[column]), "; it has ",
        absl::StrJoin(found, ", ", [](std::string* text, const auto& n) { *text += Quoted(n); }),
        "; say with --columns ", name, "=NAME which one is meant"));
  }
  NameFields(header);
  return header;
}

// The cells of one record, by column.
class Cells {
 public:
  Cells(const Header& header, const CsvRecord& record) : header_(header), record_(record) {}

  const std::optional<Problem>& problem() const { return problem_; }

  std::string Text(Column column) {
    const auto& index = header_.index[column];
    if (!index) return "";
    const std::string& cell = record_.cells[*index];
    if (const auto bad = InvalidUtf8At(cell)) {
      Report(column, Reason::kNotUtf8,
             absl::StrCat("byte ", *bad + 1, " of the cell is not UTF-8"));
      return "";
    }
    return cell;
  }

  // A whole number from 0 to `most`; -1 where the cell is empty or missing.
  int64_t Count(Column column, int64_t most) {
    const std::string text = Text(column);
    int64_t count = -1;
    if (Stripped(text).empty()) return count;
    if (absl::SimpleAtoi(text, &count) && count >= 0 && count <= most) return count;
    Report(column, Reason::kWrongField,
           absl::StrCat("is ", Quoted(text), ", must be a whole number from 0 to ", most));
    return -1;
  }

 private:
  void Report(Column column, Reason reason, std::string what) {
    if (!problem_) problem_ = Problem{reason, header_.called[column], std::move(what)};
  }

  const Header& header_;
  const CsvRecord& record_;
  std::optional<Problem> problem_;
};

// Divided by |; blank ones are none.
std::vector<std::string> SplitAliases(const std::string& cell) {
  std::vector<std::string> aliases;
  for (const auto part : absl::StrSplit(cell, '|')) {
    const std::string_view alias = Stripped({part.data(), part.size()});
    if (!alias.empty()) aliases.emplace_back(alias);
  }
  return aliases;
}

void TakeRecord(const std::string& where, const Header& header, const CsvRecord& record,
                Collector& collector) {
  const auto leave_out = [&](const Problem& problem) {
    collector.LeaveOut(problem.reason, ProblemText(where, "", problem));
  };
  if (record.problem) return leave_out(*record.problem);
  if (record.cells.size() != header.cells) {
    return leave_out({Reason::kMalformed, "",
                      absl::StrCat("has ", record.cells.size(), " cells, must have ", header.cells,
                                   " as the header")});
  }
  Cells cells(header, record);
  Row row;
  row.where = where;
  row.names = &header.names;
  row.context = std::make_shared<const std::string>(cells.Text(kContext));
  row.dataset = cells.Text(kDatasetName);
  row.passage_id = cells.Text(kPassageId);
  Question& question = row.question;
  question.question_id = cells.Text(kQuestionId);
  question.question = cells.Text(kQuestion);
  question.direction = cells.Text(kDirection);
  question.answer_type = cells.Text(kAnswerType);
  question.question_type = cells.Text(kQuestionType);
  question.hop = std::max<int64_t>(0, cells.Count(kHop, kMaxHop));
  std::vector<std::string> answers = {cells.Text(kAnswer)};
  for (const std::string& alias : SplitAliases(cells.Text(kAliases))) answers.push_back(alias);
  SetAnswers(std::move(answers), {cells.Count(kAnswerStart, INT32_MAX)}, row);
  if (cells.problem()) return leave_out(*cells.problem());
  collector.Take(std::move(row));
}

bool Fits(const FileHead& head) {
  return head.extension == ".csv" ||
         (head.first_line.find(',') != std::string::npos &&
          absl::AsciiStrToLower(head.first_line).find("question") != std::string::npos);
}

absl::Status Read(const ImportFile& file, Collector& collector) {
  KVSCOPE_RETURN_IF_ERROR(CheckMapping(file));
  KVSCOPE_ASSIGN_OR_RETURN(CsvRecords records, CsvRecords::Open(file.path));
  KVSCOPE_ASSIGN_OR_RETURN(const std::optional<CsvRecord> first, records.Next());
  if (!first) return absl::OkStatus();
  KVSCOPE_ASSIGN_OR_RETURN(const Header header, ReadHeader(file, *first));
  while (collector.status().ok()) {
    KVSCOPE_ASSIGN_OR_RETURN(const std::optional<CsvRecord> record, records.Next());
    if (!record) break;
    TakeRecord(absl::StrCat(file.path, ":", record->line), header, *record, collector);
  }
  return absl::OkStatus();
}

}  // namespace

extern const FormatInfo kCsv = {
    .name = "csv",
    .summary = "comma-separated values with a header; --columns says what it calls them",
    .source = "RFC 4180",
    .fits = Fits,
    .read = Read,
};

}  // namespace kvscope::orchestrator
