// jsonl: one passage a line, as passage_json.h has it, or one question a line:
//   {"context", "question", "answer"}, or `answers` with several, with any of `aliases`, `id` or
//   `question_id`, `passage_id`, `dataset`, `direction`, `answer_type`, `question_type`, `hop`,
//   `evidence`, `support`, `answer_start`, `is_impossible`.
// `answers` may also be {"text": [...], "answer_start": [...]}, as exports of SQuAD have it; with
// no text in it the passage has no answer.  All rows may stand in one JSON list instead.
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "services/orchestrator/datasets/import/answers.h"
#include "services/orchestrator/datasets/import/format.h"
#include "services/orchestrator/datasets/import/json_rows.h"
#include "services/orchestrator/datasets/passage_json.h"
#include "services/orchestrator/sweep/utf8.h"

namespace kvscope::orchestrator {
namespace {

using nlohmann::json;

const FieldNames kNames;
const FieldNames kNamesWithId{.question_id = "id"};
const FieldNames kNamesOfList{.answer = "answers"};
const FieldNames kNamesOfListWithId{.answer = "answers", .question_id = "id"};

// `{"text": [...], "answer_start": [...]}`.
void ReadPlacedAnswers(JsonFields& fields, std::vector<std::string>& texts,
                       std::vector<int64_t>& starts) {
  JsonFields answers(fields.At("answers"));
  texts = answers.Texts("text");
  starts = ReadStarts(answers, "answer_start");
  if (texts.empty()) texts.emplace_back(kUnknownAnswer);
  if (const auto& problem = answers.problem()) {
    fields.Report(problem->reason, absl::StrCat("answers.", problem->field), problem->what);
  }
}

void ReadAnswers(JsonFields& fields, Row& row) {
  std::vector<std::string> texts;
  std::vector<int64_t> starts;
  if (fields.At("is_impossible") == true) {
    row.question.answer = std::string(kUnknownAnswer);
    return;
  }
  if (fields.At("answers").is_object()) {
    ReadPlacedAnswers(fields, texts, starts);
  } else {
    texts = fields.Texts("answer");
    const auto more = fields.Texts("answers");
    texts.insert(texts.end(), more.begin(), more.end());
    starts = ReadStarts(fields, "answer_start");
    if (texts.empty() && !fields.Has("answers")) fields.Require("answer", Reason::kNoAnswer);
  }
  const auto aliases = fields.Texts("aliases");
  texts.insert(texts.end(), aliases.begin(), aliases.end());
  SetAnswers(std::move(texts), starts, row);
}

void ReadQuestion(JsonFields& fields, int64_t context_length, Row& row) {
  const bool list = !fields.Has("answer") && fields.Has("answers");
  const bool id = !fields.Has("question_id") && fields.Has("id");
  row.names = list ? (id ? &kNamesOfListWithId : &kNamesOfList) : (id ? &kNamesWithId : &kNames);
  Question& question = row.question;
  question.question_id = fields.Text(row.names->question_id);
  fields.Require("question", Reason::kNoQuestion);
  question.question = fields.Text("question");
  ReadAnswers(fields, row);
  question.direction = fields.Text("direction");
  question.answer_type = fields.Text("answer_type");
  question.question_type = fields.Text("question_type");
  question.hop = fields.Count("hop", kMaxHop);
  question.evidence = fields.Spans("evidence", context_length);
  question.support = fields.Spans("support", context_length);
}

// What the questions of an object with a context share.
Row ReadPassage(JsonFields& fields, const JsonPlace& place) {
  Row row;
  row.where = place.where;
  row.path = row.passage_path = place.path;
  row.names = &kNames;
  row.dataset = fields.Text("dataset");
  row.passage_id = fields.Text("passage_id");
  fields.Require("context", Reason::kNoContext);
  row.context = std::make_shared<const std::string>(fields.Text("context"));
  return row;
}

void TakeObject(const JsonPlace& place, const json& value, Collector& collector) {
  JsonFields fields(value);
  Row row = ReadPassage(fields, place);
  const auto length = static_cast<int64_t>(CountCodePoints(*row.context));
  if (!fields.Has("questions")) {
    ReadQuestion(fields, length, row);
    return TakeJsonRow(fields, std::move(row), collector);
  }
  const auto& questions = fields.List("questions");
  if (questions.empty()) {
    fields.Report(Reason::kNoQuestion, "questions", "has no element, must have at least one");
    return TakeJsonRow(fields, std::move(row), collector);
  }
  row.alone = true;
  const std::string prefix = place.path.empty() ? "" : absl::StrCat(place.path, ".");
  for (size_t i = 0; i < questions.size(); ++i) {
    Row each = row;
    if (fields.problem()) {  // the passage's, so no question can be taken
      TakeJsonRow(fields, std::move(each), collector);
      continue;
    }
    each.path = absl::StrCat(prefix, "questions[", i, "]");
    JsonFields question(questions[i]);
    ReadQuestion(question, length, each);
    TakeJsonRow(question, std::move(each), collector);
  }
}

bool Fits(const FileHead& head) {
  return head.HasKey("context") || head.HasKey("questions") || head.HasKey("question");
}

absl::Status Read(const ImportFile& file, Collector& collector) {
  return ForEachJsonRow(file.path, collector, [&](const JsonPlace& place, const json& value) {
    TakeObject(place, value, collector);
  });
}

}  // namespace

extern const FormatInfo kJsonl = {
    .name = "jsonl",
    .summary = "JSON lines: a passage with its questions, or one question, a line",
    .source = "services/orchestrator/datasets/passage_json.h",
    .fits = Fits,
    .read = Read,
};

}  // namespace kvscope::orchestrator
