#include "services/orchestrator/datasets/import/json_rows.h"

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "services/orchestrator/datasets/import/json_elements.h"
#include "services/orchestrator/datasets/import/stripped.h"
#include "services/orchestrator/datasets/json_line.h"
#include "services/orchestrator/datasets/line_reader.h"
#include "services/orchestrator/sweep/utf8.h"
#include "services/status_macros.h"

namespace kvscope::orchestrator {
namespace {

using nlohmann::json;
using TakeObject = std::function<void(const JsonPlace&, const json&)>;

constexpr uintmax_t kMaxDocumentBytes = uintmax_t{1} << 30;

void TakeLine(const Line& line, const std::string& where, Collector& collector,
              const TakeObject& take) {
  if (!line.whole) {
    return collector.LeaveOut(Reason::kTooLong,
                              absl::StrCat(where, ": is longer than ", kMaxLineBytes,
                                           " bytes, the longest line allowed"));
  }
  const absl::StatusOr<json> value = ParseJsonLine(line.text, where);
  if (value.ok()) return take({where, ""}, *value);
  const bool broken = InvalidUtf8At(line.text).has_value();
  collector.LeaveOut(broken ? Reason::kNotUtf8 : Reason::kMalformed,
                     std::string(value.status().message()));
}

absl::Status ReadList(const std::string& path, Collector& collector, const TakeObject& take) {
  static constexpr std::string_view kElements[] = {"*"};
  KVSCOPE_ASSIGN_OR_RETURN(std::string document, ReadDocument(path));
  const auto lose = [&](const std::string& place, const Problem& problem) {
    collector.LeaveOut(problem.reason, ProblemText(path, place, problem));
  };
  return ForEachElement(
      path, document, kElements,
      [&](const JsonElement& element) {
        if (element.damaged && HoldsBrokenBytes(element.value)) {
          return lose(element.path, {Reason::kNotUtf8, "", "holds bytes that are not UTF-8"});
        }
        if (collector.status().ok()) take({path, element.path}, element.value);
      },
      lose);
}

}  // namespace

absl::StatusOr<std::string> ReadDocument(const std::string& path) {
  std::error_code error;
  std::ifstream file(path, std::ios::binary);
  if (!file || std::filesystem::is_directory(path, error)) {
    return absl::NotFoundError(absl::StrCat(path, ": no data set can be read there"));
  }
  const uintmax_t size = std::filesystem::file_size(path, error);
  if (error || size > kMaxDocumentBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": must be a file of at most ", kMaxDocumentBytes, " bytes"));
  }
  std::string document(static_cast<size_t>(size), '\0');
  file.read(document.data(), static_cast<std::streamsize>(size));
  if (file.bad()) return absl::DataLossError(absl::StrCat(path, ": reading failed"));
  document.resize(static_cast<size_t>(file.gcount()));
  if (document.starts_with("\xEF\xBB\xBF")) document.erase(0, 3);
  return document;
}

absl::Status ForEachJsonRow(const std::string& path, Collector& collector, const TakeObject& take) {
  KVSCOPE_ASSIGN_OR_RETURN(LineReader lines, LineReader::Open(path));
  bool first = true;
  while (collector.status().ok()) {
    KVSCOPE_ASSIGN_OR_RETURN(const std::optional<Line> line, lines.Next());
    if (!line) return absl::OkStatus();
    const size_t begin = line->text.find_first_not_of(kBlanks);
    if (begin == std::string_view::npos) continue;
    if (first && line->text[begin] == '[') return ReadList(path, collector, take);
    first = false;
    TakeLine(*line, absl::StrCat(path, ":", line->number), collector, take);
  }
  return absl::OkStatus();
}

void TakeJsonRow(const JsonFields& fields, Row row, Collector& collector) {
  if (const auto& problem = fields.problem()) {
    const std::string& path = problem->of_passage ? row.passage_path : row.path;
    return collector.LeaveOut(problem->reason, ProblemText(row.where, path, *problem));
  }
  collector.Take(std::move(row));
}

}  // namespace kvscope::orchestrator
