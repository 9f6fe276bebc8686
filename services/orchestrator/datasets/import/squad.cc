// squad: the JSON documents of SQuAD 1.1 and 2.0:
//   {"version", "data": [{"title", "paragraphs": [{"context", "qas": [{"id", "question",
//    "is_impossible", "answers": [{"text", "answer_start"}], "plausible_answers": [...]}]}]}]}
// The first answer is the gold one, the others are aliases.  A start counts code points and must be
// where the text stands.  A question that is_impossible is answered by "I dont know".  Titles and
// plausible answers are not used.
// Source: Rajpurkar et al. 2016, arXiv:1606.05250; Rajpurkar et al. 2018, arXiv:1806.03822.
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "services/orchestrator/datasets/import/answers.h"
#include "services/orchestrator/datasets/import/format.h"
#include "services/orchestrator/datasets/import/json_elements.h"
#include "services/orchestrator/datasets/import/json_rows.h"
#include "services/status_macros.h"

namespace kvscope::orchestrator {
namespace {

using nlohmann::json;

const FieldNames kNames{.answer = "answers", .question_id = "id"};

void ReadAnswers(JsonFields& fields, Row& row) {
  if (fields.At("is_impossible") == true) {
    row.question.answer = std::string(kUnknownAnswer);
    return;
  }
  std::vector<std::string> texts;
  std::vector<int64_t> starts;
  for (const json& element : fields.List("answers")) {
    JsonFields answer(element);
    texts.push_back(answer.Text("text"));
    const auto start = ReadStarts(answer, "answer_start");
    starts.push_back(start.empty() ? -1 : start.front());
    if (const auto& problem = answer.problem()) {
      const std::string dot = problem->field.empty() ? "" : ".";
      fields.Report(problem->reason,
                    absl::StrCat("answers[", texts.size() - 1, "]", dot, problem->field),
                    problem->what);
    }
  }
  SetAnswers(std::move(texts), starts, row);
}

void TakeQuestion(const json& value, bool damaged, Row row, Collector& collector) {
  JsonFields fields(value);
  if (damaged && HoldsBrokenBytes(value)) {
    fields.Report(Reason::kNotUtf8, "", "holds bytes that are not UTF-8");
  }
  row.question.question_id = fields.Text("id");
  fields.Require("question", Reason::kNoQuestion);
  row.question.question = fields.Text("question");
  ReadAnswers(fields, row);
  TakeJsonRow(fields, std::move(row), collector);
}

void TakeParagraph(const std::string& file, const JsonElement& paragraph, Collector& collector) {
  JsonFields fields(paragraph.value);
  Row row;
  row.where = file;
  row.passage_path = row.path = paragraph.path;
  row.names = &kNames;
  fields.Require("context", Reason::kNoContext);
  fields.Require("qas", Reason::kNoQuestion);
  row.context = std::make_shared<const std::string>(fields.Text("context"));
  if (paragraph.damaged && HoldsBrokenBytes(fields.At("context"))) {
    fields.Report(Reason::kNotUtf8, "context", "holds bytes that are not UTF-8");
  }
  const auto& questions = fields.List("qas");
  if (fields.problem()) {  // no question can be taken
    for (size_t i = 0; i < std::max<size_t>(1, questions.size()); ++i) {
      TakeJsonRow(fields, row, collector);
    }
    return;
  }
  for (size_t i = 0; i < questions.size() && collector.status().ok(); ++i) {
    row.path = absl::StrCat(paragraph.path, ".qas[", i, "]");
    TakeQuestion(questions[i], paragraph.damaged, row, collector);
  }
}

bool Fits(const FileHead& head) { return head.HasKey("data"); }

absl::Status Read(const ImportFile& file, Collector& collector) {
  static constexpr std::string_view kParagraphs[] = {"data", "*", "paragraphs", "*"};
  KVSCOPE_ASSIGN_OR_RETURN(std::string document, ReadDocument(file.path));
  return ForEachElement(
      file.path, document, kParagraphs,
      [&](const JsonElement& paragraph) { TakeParagraph(file.path, paragraph, collector); },
      [&](const std::string& path, const Problem& problem) {
        collector.LeaveOut(problem.reason, ProblemText(file.path, path, problem));
      });
}

}  // namespace

extern const FormatInfo kSquad = {
    .name = "squad",
    .summary = "a JSON document of SQuAD 1.1 or 2.0's shape",
    .source = "arXiv:1606.05250, arXiv:1806.03822",
    .fits = Fits,
    .read = Read,
};

}  // namespace kvscope::orchestrator
