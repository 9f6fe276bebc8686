// longbench: LongBench's JSON lines:
//   {"input", "context", "answers": [...], "length", "dataset", "language", "all_classes", "_id"}
// `input` is the question, the first of `answers` the gold one, the others are aliases, and `_id`
// the question's id.  `length`, `language` and `all_classes` are not used.  Tasks whose input is
// empty (summaries) or whose answers do not stand in the context (counts, classes) are left out.
// Source: Bai et al. 2023, arXiv:2308.14508.
#include <nlohmann/json.hpp>

#include "services/orchestrator/datasets/import/answers.h"
#include "services/orchestrator/datasets/import/format.h"
#include "services/orchestrator/datasets/import/json_rows.h"

namespace kvscope::orchestrator {
namespace {

const FieldNames kNames{.question = "input", .answer = "answers", .question_id = "_id"};

bool Fits(const FileHead& head) {
  return head.HasKey("input") && head.HasKey("context") && head.HasKey("answers");
}

void TakeObject(const JsonPlace& place, const nlohmann::json& value, Collector& collector) {
  JsonFields fields(value);
  Row row;
  row.where = place.where;
  row.path = row.passage_path = place.path;
  row.names = &kNames;
  fields.Require("context", Reason::kNoContext);
  fields.Require("input", Reason::kNoQuestion);
  fields.Require("answers", Reason::kNoAnswer);
  row.dataset = fields.Text("dataset");
  row.context = std::make_shared<const std::string>(fields.Text("context"));
  row.question.question_id = fields.Text("_id");
  row.question.question = fields.Text("input");
  SetAnswers(fields.Texts("answers"), {}, row);
  TakeJsonRow(fields, std::move(row), collector);
}

absl::Status Read(const ImportFile& file, Collector& collector) {
  return ForEachJsonRow(file.path, collector, [&](const JsonPlace& place, const auto& value) {
    TakeObject(place, value, collector);
  });
}

}  // namespace

extern const FormatInfo kLongBench = {
    .name = "longbench",
    .summary = "JSON lines of LongBench's shape",
    .source = "arXiv:2308.14508",
    .fits = Fits,
    .read = Read,
};

}  // namespace kvscope::orchestrator
