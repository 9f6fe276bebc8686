#include "services/orchestrator/report/report.h"

#include <map>
#include <nlohmann/json.hpp>

#include "services/orchestrator/report/cliff.h"
#include "services/orchestrator/report/embedded.h"
#include "services/orchestrator/report/figures.h"
#include "services/orchestrator/report/html.h"
#include "services/orchestrator/report/queries.h"
#include "services/orchestrator/report/tables.h"

namespace kvscope::orchestrator {
namespace {

using nlohmann::json;

// Nothing may be fetched, whatever stands in the page: scripts and styles are inline, images drawn.
constexpr std::string_view kPolicy =
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
    "img-src data: blob:";

// Gathers the figures' HTML and, for the script, what each of them draws.
class FigureList {
 public:
  // A query's rows are stored once, whatever number of figures draw them.
  void AddQuery(const std::string& key, json rows) { queries_[key] = std::move(rows); }

  // `queries`: the spec's data names and the keys they were added under.
  void Draw(const std::string& id, const FigureInfo& figure, const std::string& title,
            const std::map<std::string, std::string>& queries) {
    const json& rows = queries_.at(queries.at(std::string(figure.query)));
    html_ += "<figure id=\"" + EscapeHtml(id) + "\"><h3>" + EscapeHtml(title) + "</h3>\n";
    if (HasData(figure, rows)) {
      html_ += "<div class=\"plot\" id=\"" + EscapeHtml(id) + "-plot\"></div>\n";
      figures_.push_back({{"plot", id + "-plot"}, {"spec", figure.id}, {"queries", queries}});
      specs_[std::string(figure.id)] = FigureSpec(figure);
    } else {
      html_ += "<p class=\"empty\">No data: " + EscapeHtml(figure.empty) + ".</p>\n";
    }
    html_ += "<figcaption>" + EscapeHtml(figure.caption) + "</figcaption></figure>\n";
  }

  const std::string& html() const { return html_; }

  std::string Json() const {
    const json theme = json::parse(EmbeddedFile("theme.json"), nullptr, false);
    const json all = {
        {"figures", figures_}, {"specs", specs_}, {"queries", queries_}, {"theme", theme}};
    return EscapeScriptJson(all.dump(-1, ' ', false, json::error_handler_t::replace));
  }

 private:
  std::string html_;
  json figures_ = json::array();
  json specs_ = json::object();
  json queries_ = json::object();
};

void DrawCurves(const std::vector<DegradationCurve>& curves, const ReportInput& input,
                FigureList& list) {
  list.AddQuery("cells", CellsQuery(curves));
  list.AddQuery("degradation", DegradationQuery(curves));
  list.AddQuery("consensus_by_layer", ConsensusByLayerQuery(input.consensus));
  for (const FigureInfo& figure : Figures()) {
    const std::string query(figure.query);
    list.Draw(std::string(figure.id), figure, std::string(figure.title), {{query, query}});
  }
}

void DrawSurvivalMaps(const ReportInput& input, FigureList& list) {
  const std::string id(kSurvivalMapFigure.id);
  const std::vector<SurvivalFigure> figures = SurvivalFigures(input.survival_maps);
  if (figures.empty()) {
    list.AddQuery("survival_rows", json::array());
    list.Draw(id, kSurvivalMapFigure, std::string(kSurvivalMapFigure.title),
              {{"survival_rows", "survival_rows"}});
  }
  for (size_t i = 0; i < figures.size(); ++i) {
    const std::string number = std::to_string(i);
    list.AddQuery("survival_rows/" + number, SurvivalRowsQuery(figures[i]));
    list.AddQuery("survival_columns/" + number, SurvivalColumnsQuery(figures[i]));
    list.Draw(id + "-" + number, kSurvivalMapFigure,
              std::string(kSurvivalMapFigure.title) + ": " + figures[i].dataset + " \u00B7 " +
                  figures[i].regime + " \u00B7 passage " + figures[i].passage_id,
              {{"survival_rows", "survival_rows/" + number},
               {"survival_columns", "survival_columns/" + number}});
  }
}

std::string Script(std::string_view name) {
  return "<script>\n" + std::string(EmbeddedFile(name)) + "\n</script>\n";
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

std::string Section(const char* id, const char* heading, const std::string& content) {
  return "<section id=\"" + std::string(id) + "\"><h2>" + heading + "</h2>\n" + content +
         "</section>\n";
}

}  // namespace

std::string RenderReport(const ReportInput& input) {
  const std::vector<DegradationCurve> curves = Curves(input.rows);
  FigureList list;
  DrawCurves(curves, input, list);
  DrawSurvivalMaps(input, list);
  const std::string nothing =
      "<p class=\"empty\">No data: the sweep has no finished cell yet.</p>\n";

  std::string html = Head(input.title);
  html +=
      "<body>\n<header><p class=\"kind\">KVScope report</p><h1>" + EscapeHtml(input.title) +
      "</h1>\n<nav><a href=\"#run\">Run</a> <a href=\"#summary\">Summary</a> "
      "<a href=\"#figures\">Figures</a> <a href=\"#results\">Results</a></nav></header>\n<main>\n";
  html += Section("run", "What was run", ProvenanceHtml(input.provenance));
  html += Section("summary", "Summary", curves.empty() ? nothing : SummaryHtml(curves));
  html +=
      Section("figures", "Figures",
              "<noscript><p class=\"empty\">The figures are drawn by a script inside this page; "
              "the tables hold the same numbers.</p></noscript>\n" +
                  list.html());
  html += Section("results", "Results", curves.empty() ? nothing : ResultsHtml(curves));
  html += "</main>\n<script type=\"application/json\" id=\"report-data\">" + list.Json() +
          "</script>\n<!--\n" + std::string(EmbeddedFile("vega.LICENSE")) + "-->\n";
  for (const char* name : {"vega.js", "vega-lite.js", "vega-embed.js", "report.js"}) {
    html += Script(name);
  }
  return html + "</body>\n</html>\n";
}

}  // namespace kvscope::orchestrator
