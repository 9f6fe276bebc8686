#include "services/orchestrator/report/report.h"

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <ostream>
#include <set>

#include "services/orchestrator/report/cliff.h"
#include "services/orchestrator/report/embedded.h"
#include "services/orchestrator/report/figures.h"
#include "services/orchestrator/report/html.h"
#include "services/orchestrator/report/queries.h"
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

// The queries' rows, written as they come: {"<name>":[row,...],...}. A query's rows are there once,
// whatever number of figures draw them.
class QueryWriter {
 public:
  explicit QueryWriter(std::ostream& out) : out_(out) { out_ << '{'; }

  // `run` gives the rows to the function that it is called with.
  void Add(const std::string& name, const std::function<void(const TakeRow&)>& run) {
    out_ << (defined_.empty() ? "" : ",") << JsonText(name) << ":[";
    std::set<std::string>& defined = defined_[name];
    const char* separator = "";
    run([&](const json& row) {
      out_ << separator << JsonText(row);
      separator = ",\n";
      for (const auto& [field, value] : row.items()) {
        if (!value.is_null()) defined.insert(field);
      }
    });
    out_ << ']';
  }
  void End() { out_ << '}'; }

  // True if any row of the query has a value for the field.
  bool Defines(const std::string& name, std::string_view field) const {
    return defined_.at(name).contains(std::string(field));
  }

 private:
  std::ostream& out_;
  std::map<std::string, std::set<std::string>> defined_;
};

// Gathers the figures' HTML and, for the script, what each of them draws.
class FigureList {
 public:
  explicit FigureList(const QueryWriter& queries) : queries_(queries) {}

  // `queries`: the spec's data names and the queries behind them.
  void Draw(const std::string& id, const FigureInfo& figure, const std::string& title,
            const std::map<std::string, std::string>& queries) {
    html_ += "<figure id=\"" + EscapeHtml(id) + "\"><h3>" + EscapeHtml(title) + "</h3>\n";
    if (queries_.Defines(queries.at(std::string(figure.query)), figure.measure)) {
      html_ += "<div class=\"plot\" id=\"" + EscapeHtml(id) + "-plot\"></div>\n";
      figures_.push_back({{"plot", id + "-plot"}, {"spec", figure.id}, {"queries", queries}});
      specs_[std::string(figure.id)] = FigureSpec(figure);
    } else {
      html_ += "<p class=\"empty\">No data: " + EscapeHtml(figure.empty) + ".</p>\n";
    }
    html_ += "<figcaption>" + EscapeHtml(figure.caption) + "</figcaption></figure>\n";
  }

  const std::string& html() const { return html_; }
  const json& figures() const { return figures_; }
  const json& specs() const { return specs_; }

 private:
  const QueryWriter& queries_;
  std::string html_;
  json figures_ = json::array();
  json specs_ = json::object();
};

void WriteQueries(const std::vector<DegradationCurve>& curves,
                  const std::vector<SurvivalFigure>& maps, QueryWriter& queries) {
  queries.Add("cells", [&](const TakeRow& take) { CellsQuery(curves, take); });
  queries.Add("degradation", [&](const TakeRow& take) { DegradationQuery(curves, take); });
  queries.Add("consensus_by_layer",
              [&](const TakeRow& take) { ConsensusByLayerQuery(curves, take); });
  if (maps.empty()) queries.Add("survival_rows", [](const TakeRow&) {});
  for (size_t i = 0; i < maps.size(); ++i) {
    const std::string number = std::to_string(i);
    queries.Add("survival_rows/" + number,
                [&](const TakeRow& take) { SurvivalRowsQuery(maps[i], take); });
    queries.Add("survival_columns/" + number,
                [&](const TakeRow& take) { SurvivalColumnsQuery(maps[i], take); });
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
    list.Draw(id + "-" + number, kSurvivalMapFigure,
              std::string(kSurvivalMapFigure.title) + ": " + maps[i].dataset + " \u00B7 " +
                  maps[i].regime + " \u00B7 passage " + maps[i].passage_id,
              {{"survival_rows", "survival_rows/" + number},
               {"survival_columns", "survival_columns/" + number}});
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

void WriteSection(const char* id, const char* heading, const std::string& content,
                  std::ostream& out) {
  out << "<section id=\"" << id << "\"><h2>" << heading << "</h2>\n" << content << "</section>\n";
}

}  // namespace

void WriteReport(const ReportInput& input, std::ostream& out) {
  const std::vector<DegradationCurve> curves = Curves(input.rows);
  const std::vector<SurvivalFigure> maps = SurvivalFigures(input.survival_maps);
  out << Head(input.title) << "<body>\n<header><p class=\"kind\">KVScope report</p><h1>"
      << EscapeHtml(input.title)
      << "</h1>\n<nav><a href=\"#run\">Run</a> <a href=\"#summary\">Summary</a> "
         "<a href=\"#figures\">Figures</a> <a href=\"#results\">Results</a> "
         "<a href=\"#tags\">By tag</a></nav></header>\n";

  // Before the figures: only who has seen the rows knows which of them have something to draw.
  out << "<script type=\"application/json\" id=\"report-data\">{\"queries\":";
  QueryWriter queries(out);
  WriteQueries(curves, maps, queries);
  FigureList list(queries);
  DrawFigures(maps, list);
  out << ",\"figures\":" << JsonText(list.figures()) << ",\"specs\":" << JsonText(list.specs())
      << ",\"theme\":" << JsonText(json::parse(EmbeddedFile("theme.json"), nullptr, false))
      << "}</script>\n";

  const std::string nothing =
      "<p class=\"empty\">No data: the sweep has no finished cell yet.</p>\n";
  out << "<main>\n";
  WriteSection("run", "What was run", ProvenanceHtml(input.provenance), out);
  WriteSection("summary", "Summary", curves.empty() ? nothing : SummaryHtml(curves), out);
  WriteSection("figures", "Figures",
               "<noscript><p class=\"empty\">The figures are drawn by a script inside this page; "
               "the tables hold the same numbers.</p></noscript>\n" +
                   list.html(),
               out);
  WriteSection("results", "Results", curves.empty() ? nothing : ResultsHtml(curves), out);
  const std::string tags = TagsHtml(input.tag_rows);
  const std::string no_tags =
      "<p class=\"empty\">No data: " + EscapeHtml(input.no_tags) + ".</p>\n";
  WriteSection("tags", "F1 by tag", tags.empty() ? no_tags : tags, out);
  out << "</main>\n<!--\n" << EmbeddedFile("vega.LICENSE") << "-->\n";
  for (const char* name : {"vega.js", "vega-lite.js", "vega-embed.js", "report.js"}) {
    out << "<script>\n" << EmbeddedFile(name) << "\n</script>\n";
  }
  out << "</body>\n</html>\n";
}

}  // namespace kvscope::orchestrator
