// ruler: RULER's JSON lines:
//   {"index", "input", "outputs": [...], "length", "answer_prefix"}
// `input` is the whole prompt.  All of RULER's templates end it with the question on a line of its
// own, so this is assumed:
// - the question is the last line that is not blank, without `Question:` before it; the context is
//   all before it, the task's instruction included;
// - what leads over to the answer is no part of the question: `answer_prefix` where the input ends
//   with it (files of newer versions carry it apart), and from ` Answer:` or `? The special magic`
//   on (older versions have it in the input);
// - there is no chat template around it: the data was prepared with the `base` template;
// - several `outputs` are all asked for (needles, variables, words), joined by commas; only where
// the
//   input says "Answer the question based on the given documents" they are one answer's variants.
// A file named validation, test, train or dev is named for its folder: RULER has one a task.
// `index` and `length` are not used.  Source: Hsieh et al. 2024, arXiv:2404.06654.
#include <filesystem>
#include <nlohmann/json.hpp>

#include "services/orchestrator/datasets/import/answers.h"
#include "services/orchestrator/datasets/import/format.h"
#include "services/orchestrator/datasets/import/json_rows.h"
#include "services/orchestrator/datasets/import/stripped.h"
#include "services/orchestrator/datasets/jsonl.h"

namespace kvscope::orchestrator {
namespace {

constexpr std::string_view kVariants = "Answer the question based on the given documents";

const FieldNames kNames{.context = "input", .question = "input", .answer = "outputs"};

// Cuts `text` at `mark`, keeping the mark's first `keep` bytes.
void CutAt(std::string_view mark, size_t keep, std::string_view& text) {
  const size_t at = text.rfind(mark);
  if (at != std::string_view::npos) text = text.substr(0, at + keep);
}

bool Fits(const FileHead& head) {
  return head.HasKey("input") && head.HasKey("outputs") && !head.HasKey("context");
}

std::string DatasetOf(const std::string& path) {
  std::string name = DatasetNameOf(path);
  for (const char* split : {"validation", "test", "train", "dev"}) {
    if (name != split) continue;
    const auto folder = std::filesystem::path(path).parent_path();
    return folder.filename().empty() ? name : DatasetNameOf(folder.filename().string());
  }
  return name;
}

// Splits `input` into context and question; false if there are not two lines.
bool Split(std::string_view input, std::string_view answer_prefix, Row& row) {
  std::string_view text = Stripped(input);
  const std::string_view prefix = Stripped(answer_prefix);
  if (!prefix.empty() && text.ends_with(prefix)) {
    text = Stripped(text.substr(0, text.size() - prefix.size()));
  }
  const size_t newline = text.rfind('\n');
  if (newline == std::string_view::npos) return false;
  std::string_view question = Stripped(text.substr(newline + 1));
  if (question.starts_with("Question:")) question.remove_prefix(sizeof("Question:") - 1);
  CutAt(" Answer:", 0, question);
  CutAt("? The special magic", 1, question);
  row.context = std::make_shared<const std::string>(Stripped(text.substr(0, newline)));
  row.question.question = std::string(Stripped(question));
  return true;
}

void TakeObject(const std::string& dataset, const JsonPlace& place, const nlohmann::json& value,
                Collector& collector) {
  JsonFields fields(value);
  Row row;
  row.where = place.where;
  row.path = row.passage_path = place.path;
  row.names = &kNames;
  row.dataset = dataset;
  fields.Require("input", Reason::kNoContext);
  fields.Require("outputs", Reason::kNoAnswer);
  const std::string input = fields.Text("input");
  if (!Split(input, fields.Text("answer_prefix"), row)) {
    fields.Report(Reason::kNoQuestion, "input",
                  "has only one line, but the last must be the question after a context");
  }
  std::vector<std::string> outputs = fields.Texts("outputs");
  if (outputs.size() < 2 || input.find(kVariants) != std::string::npos) {
    SetAnswers(std::move(outputs), {}, row);
  } else {
    row.parts = std::move(outputs);
  }
  TakeJsonRow(fields, std::move(row), collector);
}

absl::Status Read(const ImportFile& file, Collector& collector) {
  const std::string dataset = DatasetOf(file.path);
  return ForEachJsonRow(file.path, collector, [&](const JsonPlace& place, const auto& value) {
    TakeObject(dataset, place, value, collector);
  });
}

}  // namespace

extern const FormatInfo kRuler = {
    .name = "ruler",
    .summary = "JSON lines of RULER's shape: the question is the last line of `input`",
    .source = "arXiv:2404.06654",
    .fits = Fits,
    .read = Read,
};

}  // namespace kvscope::orchestrator
