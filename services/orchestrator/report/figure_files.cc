#include "services/orchestrator/report/figure_files.h"

#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "services/orchestrator/report/captions.h"
#include "services/orchestrator/report/embedded.h"
#include "services/orchestrator/report/figures.h"
#include "services/orchestrator/report/queries.h"
#include "services/orchestrator/report/survival_queries.h"

namespace kvscope::orchestrator {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr std::string_view kSchema = "https://vega.github.io/schema/vega-lite/v4.json";

// How a spec brings its query's rows into long form.  It does that by its first transforms:
// {"calculate": "sequence(0, datum.<count>)", "as": <index>}, {"flatten": [<index>, <lists>...]},
// and maybe a lookup of more fields by the index.
struct Unpacking {
  std::string index = {};  // empty: the rows are in long form already
  std::vector<std::string> lists = {};
  bool lookup = false;
};

// Takes them out of the spec.
Unpacking TakeUnpacking(json& spec) {
  Unpacking unpacking;
  json rest = json::array();
  for (json& transform : spec["transform"]) {
    if (transform.contains("flatten")) {
      unpacking.lists = transform["flatten"].get<std::vector<std::string>>();
      unpacking.index = unpacking.lists.front();
      unpacking.lists.erase(unpacking.lists.begin());
      rest.clear();  // what came before only made the index
    } else if (transform.contains("lookup")) {
      unpacking.lookup = true;
    } else {
      rest.push_back(std::move(transform));
    }
  }
  spec["transform"] = std::move(rest);
  return unpacking;
}

// Calls `take` on each row in long form.
void Unpack(const Unpacking& unpacking, const std::vector<json>& looked_up, const json& row,
            const TakeRow& take) {
  if (unpacking.index.empty()) return take(row);
  size_t count = 0;
  for (const std::string& list : unpacking.lists) count = std::max(count, row[list].size());
  json element = row;
  for (size_t i = 0; i < count; ++i) {
    element[unpacking.index] = i;
    for (const std::string& list : unpacking.lists) {
      element[list] = i < row[list].size() ? row[list][i] : json(nullptr);
    }
    if (unpacking.lookup && i < looked_up.size()) element.update(looked_up[i]);
    take(element);
  }
}

// The fields that a spec may read: all its strings, and what its expressions take of a datum.
void CollectFields(const json& node, std::set<std::string>& fields) {
  static const std::regex kDatum("datum\\.([A-Za-z0-9_]+)");
  if (node.is_string()) {
    const std::string text = node.get<std::string>();
    fields.insert(text);
    for (std::sregex_iterator at(text.begin(), text.end(), kDatum), end; at != end; ++at) {
      fields.insert((*at)[1]);
    }
  }
  if (!node.is_structured()) return;
  for (const auto& [key, child] : node.items()) CollectFields(child, fields);
}

// Writes rows as CSV and notes what type each column has.
class CsvFile {
 public:
  CsvFile(const fs::path& path, std::set<std::string> fields)
      : path_(path), out_(path, std::ios::binary), fields_(std::move(fields)) {}

  void Write(const json& row) {
    if (columns_.empty()) WriteHeader(row);
    const char* separator = "";
    for (const std::string& column : columns_) {
      out_ << separator << Text(column, row.at(column));
      separator = ",";
    }
    out_ << "\r\n";
  }

  // By column: what a reader must take its texts for.
  const std::map<std::string, std::string>& types() const { return types_; }

  absl::Status Close() {
    out_.close();
    if (out_) return absl::OkStatus();
    return absl::ResourceExhaustedError(absl::StrCat("cannot write ", path_.string()));
  }

 private:
  void WriteHeader(const json& row) {
    for (const auto& [field, value] : row.items()) {
      if (!fields_.contains(field)) continue;
      out_ << (columns_.empty() ? "" : ",") << field;
      columns_.push_back(field);
    }
    out_ << "\r\n";
  }

  std::string Text(const std::string& column, const json& value) {
    if (value.is_null()) return "";
    types_.emplace(column, value.is_string()    ? "string"
                           : value.is_boolean() ? "boolean"
                                                : "number");
    return value.is_string() ? Quoted(value.get_ref<const std::string&>()) : value.dump();
  }

  // Few texts occur in many rows.
  const std::string& Quoted(const std::string& text) {
    const auto [entry, added] = quoted_.try_emplace(text);
    if (!added) return entry->second;
    const json valid =  // invalid UTF-8 replaced
        json::parse(json(text).dump(-1, ' ', false, json::error_handler_t::replace));
    entry->second = valid.get<std::string>();
    if (entry->second.find_first_of(",\"\r\n") != std::string::npos) {
      entry->second =
          absl::StrCat("\"", absl::StrReplaceAll(entry->second, {{"\"", "\"\""}}), "\"");
    }
    return entry->second;
  }

  fs::path path_;
  std::ofstream out_;
  std::set<std::string> fields_;
  std::vector<std::string> columns_;
  std::map<std::string, std::string> types_;
  std::map<std::string, std::string> quoted_;
};

// Dark on white, whatever the page is.
json PaperTheme() {
  const std::string theme(EmbeddedFile("theme.json"));
  return json::parse(absl::StrReplaceAll(theme, {{"currentColor", "#1d2430"},  // the page's ink
                                                 {"transparent", "white"}}),
                     nullptr, false);
}

class Folder {
 public:
  Folder(const ReportInput& input, fs::path folder) : input_(input), folder_(std::move(folder)) {
    std::set<std::string> presses;
    for (const ReportRow& row : input.rows) presses.insert(row.press);
    presses_.assign(presses.begin(), presses.end());
  }

  absl::Status Write(const std::string& id, const FigureInfo& figure, const std::string& title,
                     const NamedQuery& query, const std::vector<json>& looked_up) {
    json spec = FigureSpec(figure, presses_);
    const Unpacking unpacking = TakeUnpacking(spec);
    std::set<std::string> fields;
    CollectFields(spec, fields);
    const fs::path path = folder_ / (id + ".csv");
    CsvFile csv(path, std::move(fields));
    bool defined = false;
    query.run([&](const json& packed) {
      Unpack(unpacking, looked_up, packed, [&](const json& row) {
        defined = defined || !row.at(std::string(figure.measure)).is_null();
        csv.Write(row);
      });
    });
    if (absl::Status status = csv.Close(); !status.ok()) return status;
    if (!defined) {
      std::error_code ignored;
      fs::remove(path, ignored);
      fs::remove(folder_ / (id + ".vl.json"), ignored);
      files_.left_out.emplace_back(id, figure.empty);
      return absl::OkStatus();
    }
    files_.written.push_back(id);
    return WriteSpec(id, figure, title, csv.types(), std::move(spec));
  }

  FigureFiles files() && { return std::move(files_); }

 private:
  absl::Status WriteSpec(const std::string& id, const FigureInfo& figure, const std::string& title,
                         const std::map<std::string, std::string>& types, json spec) const {
    const std::string numbers = CaptionNumbers(figure.id, input_);
    spec["$schema"] = kSchema;
    spec["data"] = {{"url", id + ".csv"}, {"format", {{"type", "csv"}, {"parse", types}}}};
    spec["config"] = PaperTheme();
    spec["usermeta"] = {
        {"title", title},
        {"caption", std::string(figure.caption) + (numbers.empty() ? "" : " ") + numbers}};
    const fs::path path = folder_ / (id + ".vl.json");
    std::ofstream out(path, std::ios::binary);
    out << spec.dump(2, ' ', false, json::error_handler_t::replace) << '\n';
    out.close();
    if (out) return absl::OkStatus();
    return absl::ResourceExhaustedError(absl::StrCat("cannot write ", path.string()));
  }

  const ReportInput& input_;
  fs::path folder_;
  std::vector<std::string> presses_;
  FigureFiles files_;
};

absl::Status WriteSurvivalMap(const SurvivalFigure& map, size_t number, Folder& folder) {
  std::vector<json> columns;
  SurvivalColumnsQuery(map, [&columns](const json& row) { columns.push_back(row); });
  const NamedQuery rows = {std::string(kSurvivalMapFigure.query),
                           [&map](const TakeRow& take) { SurvivalRowsQuery(map, take); }};
  return folder.Write(std::string(kSurvivalMapFigure.id) + "-" + std::to_string(number),
                      kSurvivalMapFigure, SurvivalTitle(map), rows, columns);
}

}  // namespace

absl::StatusOr<FigureFiles> WriteFigureFiles(const ReportInput& input, const std::string& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot make the folder ", folder, ": ", error.message()));
  }
  const std::vector<DegradationCurve> curves = Curves(input.rows);
  std::map<std::string, NamedQuery> queries;
  for (NamedQuery& query : Queries(input, curves)) queries.emplace(query.name, query);
  Folder files(input, folder);
  for (const FigureInfo& figure : Figures()) {
    const NamedQuery& query = queries.at(std::string(figure.query));
    const absl::Status status =
        files.Write(std::string(figure.id), figure, std::string(figure.title), query, {});
    if (!status.ok()) return status;
  }
  const std::vector<SurvivalFigure> maps = SurvivalFigures(input.survival_maps);
  for (size_t i = 0; i < maps.size(); ++i) {
    if (absl::Status status = WriteSurvivalMap(maps[i], i, files); !status.ok()) return status;
  }
  FigureFiles written = std::move(files).files();
  if (maps.empty()) {
    written.left_out.emplace_back(kSurvivalMapFigure.id, kSurvivalMapFigure.empty);
  }
  return written;
}

}  // namespace kvscope::orchestrator
