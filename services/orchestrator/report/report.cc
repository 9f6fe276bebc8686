#include "services/orchestrator/report/report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>
#include <ostream>
#include <set>

#include "absl/strings/str_cat.h"
#include "services/orchestrator/report/captions.h"
#include "services/orchestrator/report/cliff.h"
#include "services/orchestrator/report/embedded.h"
#include "services/orchestrator/report/figures.h"
#include "services/orchestrator/report/html.h"
#include "services/orchestrator/report/queries.h"
#include "services/orchestrator/report/statistics_tables.h"
#include "services/orchestrator/report/survival_queries.h"
#include "services/orchestrator/report/tables.h"
#include "services/orchestrator/report/tag_tables.h"

namespace kvscope::orchestrator {
namespace {

using nlohmann::json;

// Nothing may be fetched, whatever stands in the page: scripts and styles are inline, images drawn.
constexpr std::string_view kPolicy =
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
    "img-src data: blob:";

std::string JsonText(const json& value) {
  return EscapeScriptJson(value.dump(-1, ' ', false, json::error_handler_t::replace));
}

// The queries' rows, written as they come and packed, for a page may hold millions: {"<name>":
// {"rows":[[value,...],...],"fields":[...],"texts":[...],"strings":[...]},...}.  Values stand in
// the order of `fields`, numbers with six digits; a text is its index in `strings`, and `texts`
// tells which fields hold texts.  A query's rows are there once, whatever number of figures draw
// them.
class QueryWriter {
 public:
  explicit QueryWriter(std::ostream& out) : out_(out) { out_ << '{'; }

  void Add(const NamedQuery& query) {
    out_ << (seen_.empty() ? "" : ",") << JsonText(query.name) << ":{\"rows\":[";
    Seen& seen = seen_[query.name];
    std::map<std::string, size_t> strings;
    json fields = json::array();
    std::set<size_t> texts;
    query.run([&](const json& row) {
      std::string packed = fields.empty() ? "[" : ",\n[";
      const bool first = fields.empty();
      size_t column = 0;
      for (const auto& [field, value] : row.items()) {
        if (first) fields.push_back(field);
        if (value.is_string()) texts.insert(column);
        if (IsDefined(value)) seen.fields.insert(field);
        if (column++ > 0) packed += ',';
        Pack(value, strings, packed);
      }
      out_ << packed << ']';
      const std::string note = row.value("note", "");
      if (!note.empty()) ++seen.notes[note];
    });
    std::vector<std::string> ordered(strings.size());
    for (const auto& [text, index] : strings) ordered[index] = text;
    out_ << "],\"fields\":" << JsonText(fields) << ",\"texts\":" << JsonText(texts)
         << ",\"strings\":" << JsonText(ordered) << '}';
  }
  void End() { out_ << '}'; }

  // True if any row of the query has a value for the field.
  bool Defines(const std::string& name, std::string_view field) const {
    return seen_.at(name).fields.contains(std::string(field));
  }

  // How many rows have which note.
  const std::map<std::string, int64_t>& Notes(const std::string& name) const {
    return seen_.at(name).notes;
  }

 private:
  struct Seen {
    std::set<std::string> fields;
    std::map<std::string, int64_t> notes;
  };

  static bool IsDefined(const json& value) {
    if (!value.is_array()) return !value.is_null();
    return std::any_of(value.begin(), value.end(), [](const json& e) { return !e.is_null(); });
  }

  static void Pack(const json& value, std::map<std::string, size_t>& strings, std::string& packed) {
    if (value.is_string()) {
      packed += std::to_string(
          strings.try_emplace(value.get_ref<const std::string&>(), strings.size()).first->second);
    } else if (value.is_number_float() && std::isfinite(value.get<double>())) {
      char text[32];
      std::snprintf(text, sizeof(text), "%.6g", value.get<double>());
      packed += text;
    } else if (value.is_array()) {
      const char* separator = "[";
      for (const json& element : value) {
        packed += separator;
        Pack(element, strings, packed);
        separator = ",";
      }
      packed += value.empty() ? "[]" : "]";
    } else {
      packed += value.dump();
    }
  }

  std::ostream& out_;
  std::map<std::string, Seen> seen_;
};

// "one class only (12 cells); ...": at most kMostNotes of them.
std::string NotesText(const std::map<std::string, int64_t>& notes) {
  constexpr size_t kMostNotes = 4;
  std::string text;
  size_t shown = 0;
  for (const auto& [note, count] : notes) {
    if (shown++ == kMostNotes)
      return text + "; " + std::to_string(notes.size() - kMostNotes) + " more";
    text += (text.empty() ? "" : "; ") + note + " (" + std::to_string(count) +
            (count == 1 ? " cell)" : " cells)");
  }
  return text;
}

// Gathers the figures' HTML by section and, for the script, what each of them draws.
class FigureList {
 public:
  FigureList(const ReportInput& input, const QueryWriter& queries)
      : input_(input), queries_(queries) {
    std::set<std::string> presses;
    for (const ReportRow& row : input.rows) presses.insert(row.press);
    presses_.assign(presses.begin(), presses.end());
  }

  // `queries`: the spec's data names and the queries behind them.  `map`: what the figure shows
  // where its rows do not name their data set and regime.
  void Draw(const std::string& id, const FigureInfo& figure, const std::string& title,
            const std::map<std::string, std::string>& queries,
            const SurvivalFigure* map = nullptr) {
    std::string& html = html_[figure.section];
    const std::string& query = queries.at(std::string(figure.query));
    const std::string notes = NotesText(queries_.Notes(query));
    html += "<figure id=\"" + EscapeHtml(id) + "\"><h3>" + EscapeHtml(title) + "</h3>\n";
    if (queries_.Defines(query, figure.measure)) {
      html += "<div class=\"plot\" id=\"" + EscapeHtml(id) + "-plot\"></div>\n";
      figures_.push_back({{"plot", id + "-plot"}, {"spec", figure.id}, {"queries", queries}});
      if (map != nullptr) {
        figures_.back()["dataset"] = map->dataset;
        figures_.back()["regime"] = map->regime;
      }
      specs_[std::string(figure.id)] = FigureSpec(figure, presses_);
    } else {
      html += "<p class=\"empty\">No data: " + EscapeHtml(figure.empty) + ".</p>\n";
    }
    html += "<figcaption>" + EscapeHtml(figure.caption);
    const std::string numbers = CaptionNumbers(figure.id, input_);
    if (!numbers.empty()) html += " " + EscapeHtml(numbers);
    if (!notes.empty())
      html += " <span class=\"notes\">Not told: " + EscapeHtml(notes) + ".</span>";
    html += "</figcaption></figure>\n";
  }

  const std::string& html(FigureSection section) { return html_[section]; }
  const json& figures() const { return figures_; }
  const json& specs() const { return specs_; }

 private:
  const ReportInput& input_;
  const QueryWriter& queries_;
  std::vector<std::string> presses_;
  std::map<FigureSection, std::string> html_;
  json figures_ = json::array();
  json specs_ = json::object();
};

void WriteQueries(const ReportInput& input, const std::vector<DegradationCurve>& curves,
                  const std::vector<SurvivalFigure>& maps, QueryWriter& queries) {
  for (const NamedQuery& query : Queries(input, curves)) queries.Add(query);
  if (maps.empty()) queries.Add({"survival_rows", [](const TakeRow&) {}});
  for (size_t i = 0; i < maps.size(); ++i) {
    const std::string number = std::to_string(i);
    queries.Add({"survival_rows/" + number,
                 [&](const TakeRow& take) { SurvivalRowsQuery(maps[i], take); }});
    queries.Add({"survival_columns/" + number,
                 [&](const TakeRow& take) { SurvivalColumnsQuery(maps[i], take); }});
  }
  queries.End();
}

void DrawFigures(const std::vector<SurvivalFigure>& maps, FigureList& list) {
  for (const FigureInfo& figure : Figures()) {
    const std::string query(figure.query);
    list.Draw(std::string(figure.id), figure, std::string(figure.title), {{query, query}});
  }
  const std::string id(kSurvivalMapFigure.id);
  if (maps.empty()) {
    list.Draw(id, kSurvivalMapFigure, std::string(kSurvivalMapFigure.title),
              {{"survival_rows", "survival_rows"}});
  }
  for (size_t i = 0; i < maps.size(); ++i) {
    const std::string number = std::to_string(i);
    list.Draw(absl::StrCat(id, "-", number), kSurvivalMapFigure, SurvivalTitle(maps[i]),
              {{"survival_rows", "survival_rows/" + number},
               {"survival_columns", "survival_columns/" + number}},
              &maps[i]);
  }
}

std::string Head(const std::string& title) {
  std::string html = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n";
  html += "<meta http-equiv=\"Content-Security-Policy\" content=\"" + EscapeHtml(kPolicy) + "\">\n";
  html += "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n";
  html += "<meta name=\"color-scheme\" content=\"light dark\">\n";
  html += "<title>" + EscapeHtml(title) + "</title>\n";
  html += "<style>\n" + std::string(EmbeddedFile("report.css")) + "</style>\n</head>\n";
  return html;
}

void WriteSection(std::string_view id, std::string_view heading, const std::string& content,
                  std::ostream& out) {
  out << "<section id=\"" << id << "\"><h2>" << heading << "</h2>\n" << content << "</section>\n";
}

std::string Header(const std::string& title) {
  std::string html = "<header><p class=\"kind\">KVScope report</p><h1>" + EscapeHtml(title) +
                     "</h1>\n<nav><a href=\"#run\">Run</a> <a href=\"#findings\">Findings</a>";
  for (const SectionInfo& section : FigureSections()) {
    html.append(" <a href=\"#").append(section.id).append("\">").append(section.title);
    html.append("</a>");
  }
  return html + " <a href=\"#summary\">Tables</a></nav></header>\n";
}

void WriteTables(const ReportInput& input, const std::vector<DegradationCurve>& curves,
                 std::ostream& out) {
  const std::string nothing =
      "<p class=\"empty\">No data: the sweep has no finished cell yet.</p>\n";
  WriteSection("summary", "Summary", curves.empty() ? nothing : SummaryHtml(curves), out);
  WriteSection("results", "Results", curves.empty() ? nothing : ResultsHtml(curves), out);
  const std::string tags = TagsHtml(input.tag_rows);
  const std::string no_tags =
      "<p class=\"empty\">No data: " + EscapeHtml(input.no_tags) + ".</p>\n";
  WriteSection("tags", "F1 by tag", tags.empty() ? no_tags : tags, out);
  out << "<section id=\"statistics\"><h2>Statistics</h2>\n";
  if (!WriteStatisticsTables(input.statistics, out)) {
    out << "<p class=\"empty\">No data: no statistics were calculated.</p>\n";
  }
  out << "</section>\n";
}

}  // namespace

void WriteReport(const ReportInput& input, std::ostream& out) {
  const std::vector<DegradationCurve> curves = Curves(input.rows);
  const std::vector<SurvivalFigure> maps = SurvivalFigures(input.survival_maps);
  out << Head(input.title) << "<body>\n" << Header(input.title);

  // Before the figures: only who has seen the rows knows which of them have something to draw.
  out << "<script type=\"application/json\" id=\"report-data\">{\"queries\":";
  QueryWriter queries(out);
  WriteQueries(input, curves, maps, queries);
  FigureList list(input, queries);
  DrawFigures(maps, list);
  out << ",\"figures\":" << JsonText(list.figures()) << ",\"specs\":" << JsonText(list.specs())
      << ",\"theme\":" << JsonText(json::parse(EmbeddedFile("theme.json"), nullptr, false))
      << "}</script>\n<main>\n";

  WriteSection("run", "What was run", ProvenanceHtml(input.provenance), out);
  const std::string findings = FindingsHtml(input.statistics);
  const std::string no_findings =
      "<p class=\"empty\">No data: no statistics were calculated. The <a "
      "href=\"#summary\">summary</a> tells where each press breaks.</p>\n";
  WriteSection("findings", "Findings", findings.empty() ? no_findings : findings, out);
  out << "<noscript><p class=\"empty\">The figures are drawn by a script inside this page; the "
         "tables hold the same numbers.</p></noscript>\n<div id=\"choice\"></div>\n";
  for (const SectionInfo& section : FigureSections()) {
    WriteSection(section.id, section.title, list.html(section.section), out);
  }
  WriteTables(input, curves, out);
  out << "</main>\n<!--\n" << EmbeddedFile("vega.LICENSE") << "-->\n";
  for (const char* name : {"vega.js", "vega-lite.js", "vega-embed.js", "report.js"}) {
    out << "<script>\n" << EmbeddedFile(name) << "\n</script>\n";
  }
  out << "</body>\n</html>\n";
}

}  // namespace kvscope::orchestrator
