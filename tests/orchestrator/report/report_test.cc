#include "services/orchestrator/report/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "services/orchestrator/report/embedded.h"
#include "services/orchestrator/report/figures.h"
#include "tests/orchestrator/report/example_input.h"

namespace kvscope::orchestrator {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

size_t CountOf(std::string_view text, std::string_view part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++count;
  return count;
}

// The page without the bodies of its scripts, style and comments.
std::string Markup(std::string_view page) {
  constexpr std::pair<std::string_view, std::string_view> kRawText[] = {
      {"<script", "</script>"}, {"<style", "</style>"}, {"<!--", "-->"}};
  std::string markup(page);
  for (const auto& [begin, end] : kRawText) {
    for (size_t at = 0; (at = markup.find(begin, at)) != markup.npos;) {
      const size_t close = markup.find(end, at);
      if (close == markup.npos) return "unterminated " + std::string(begin);
      markup.erase(at, close + end.size() - at);
    }
  }
  return markup;
}

// What is wrong with the nesting of the page's elements; empty if nothing is.
std::string NestingError(std::string_view markup) {
  static const std::set<std::string> kVoid = {"meta", "!DOCTYPE", "br"};
  std::vector<std::string> open;
  for (size_t at = 0; (at = markup.find('<', at)) != markup.npos; ++at) {
    const bool closes = markup[at + 1] == '/';
    const size_t begin = at + 1 + closes;
    const std::string name(markup.substr(begin, markup.find_first_of(" >\n", begin) - begin));
    if (markup.find('>', at) == markup.npos) return "unterminated <" + name;
    if (kVoid.contains(name)) continue;
    if (!closes) {
      open.push_back(name);
    } else if (open.empty() || open.back() != name) {
      return "</" + name + "> inside " + (open.empty() ? "nothing" : open.back());
    } else {
      open.pop_back();
    }
  }
  return open.empty() ? "" : "<" + open.back() + "> never ends";
}

json PageData(std::string_view page) {
  constexpr std::string_view kBegin = "id=\"report-data\">";
  const size_t begin = page.find(kBegin) + kBegin.size();
  return json::parse(page.substr(begin, page.find("</script>", begin) - begin));
}

// The rows of a query as the page's script reads them.
json PageRows(const json& data, const std::string& name) {
  const json& query = data["queries"][name];
  const std::set<size_t> texts = query["texts"];
  json rows = json::array();
  for (const json& packed : query["rows"]) {
    json row;
    for (size_t i = 0; i < packed.size(); ++i) {
      const bool text = texts.contains(i) && !packed[i].is_null();
      row[query["fields"][i].get<std::string>()] =
          text ? query["strings"][packed[i].get<size_t>()] : packed[i];
    }
    rows.push_back(row);
  }
  return rows;
}

ExampleSize Complete() { return {.datasets = 2, .models = 2, .statistics = true}; }

TEST(Report, IsOneWellFormedPage) {
  const std::string page = RenderReport(ExampleInput());
  EXPECT_TRUE(page.starts_with("<!DOCTYPE html>\n<html lang=\"en\">"));
  EXPECT_EQ(NestingError(Markup(page)), "");
  EXPECT_EQ(CountOf(page, "<h1>pocket-cliff</h1>"), 1u);
  EXPECT_THAT(page, HasSubstr("<dt>model</dt><dd>models/pocket-llama (llama"));
  EXPECT_EQ(NestingError(Markup(RenderReport(ExampleInput(Complete())))), "");
}

TEST(Report, FetchesNothing) {
  const std::string page = RenderReport(ExampleInput());
  EXPECT_THAT(page, HasSubstr("default-src &#39;none&#39;"));
  const std::string markup = Markup(page);
  for (const char* reference : {"src=", "<link", "<img", "<iframe", "http:", "https:", "//"}) {
    EXPECT_THAT(markup, Not(HasSubstr(reference)));
  }
  for (const std::string_view style : {EmbeddedFile("report.css"), EmbeddedFile("report.js")}) {
    EXPECT_EQ(style.find("url("), style.npos);
    EXPECT_EQ(style.find("@import"), style.npos);
    EXPECT_EQ(style.find("http"), style.npos);
  }
  EXPECT_EQ(PageData(page).dump().find("http"), std::string::npos);
}

TEST(Report, EveryFigureHasItsRows) {
  const json data = PageData(RenderReport(ExampleInput()));
  EXPECT_EQ(data["figures"].size(), 14u);  // what takes no statistics
  for (const json& figure : data["figures"]) {
    const json& spec = data["specs"][figure["spec"].get<std::string>()];
    const std::string name = spec["data"]["name"];
    EXPECT_GT(PageRows(data, figure["queries"][name]).size(), 0u) << figure;
  }
  EXPECT_EQ(PageRows(data, "cells").size(), 88u);  // 2 regimes, 4 presses, 11 ratios
}

TEST(Report, StatisticsGiveEveryFigureItsRows) {
  const std::string page = RenderReport(ExampleInput(Complete()));
  std::set<std::string> drawn;
  const json data = PageData(page);
  for (const json& figure : data["figures"]) drawn.insert(figure["spec"]);
  EXPECT_EQ(drawn.size(), Figures().size() + 1);  // and the survival map
  EXPECT_EQ(CountOf(page, "<p class=\"empty\">No data"), 0u);
}

TEST(Report, RowsArePackedWithoutLoss) {
  ReportInput input;
  input.rows.push_back(
      {.dataset = "d\"<", .regime = "r", .press = "p", .ratio = 0.5, .f1 = 1.0 / 3});
  input.rows.push_back({.dataset = "d\"<", .regime = "r", .press = "q", .ratio = 0.95, .f1 = 1});
  input.rows[0].ger_layer = {0.25, std::nan("")};
  const json data = PageData(RenderReport(input));
  const json cells = PageRows(data, "cells");
  ASSERT_EQ(cells.size(), 4u);  // each press misses the other's ratio
  EXPECT_EQ(cells[0]["dataset"], "d\"<");
  EXPECT_EQ(cells[0]["press"], "p");
  EXPECT_EQ(cells[0]["ratio"], 0.5);
  EXPECT_EQ(cells[0]["f1"], 0.333333);
  EXPECT_TRUE(cells[0]["ger"].is_null());
  EXPECT_EQ(cells[3]["press"], "q");
  EXPECT_EQ(cells[3]["ratio"], 0.95);
  const json layers = PageRows(data, "layers");
  ASSERT_EQ(layers.size(), 1u);
  EXPECT_EQ(layers[0]["ger"], json({0.25, nullptr}));
  EXPECT_EQ(layers[0]["consensus"], json::array());
}

TEST(Report, APressHasOneColourInAllFigures) {
  const json data = PageData(RenderReport(ExampleInput(Complete())));
  const json presses = {"adakv(expected_attention)", "chunk(expected_attention, chunk_length=64)",
                        "random", "snapkv"};
  EXPECT_EQ(data["specs"]["exact"]["spec"]["encoding"]["color"]["scale"]["domain"], presses);
  json with_full = presses;
  with_full.push_back("uncompressed");
  const json& layers = data["specs"]["consensus_by_layer"]["spec"]["encoding"];
  EXPECT_EQ(layers["color"]["scale"]["domain"], with_full);
  EXPECT_EQ(layers["shape"]["scale"]["domain"], with_full);
}

TEST(Report, FindingsAndStatisticsStandOnThePage) {
  const std::string page = RenderReport(ExampleInput(Complete()));
  EXPECT_THAT(page, HasSubstr("<li>There is a cliff: F1 of chunk("));
  EXPECT_THAT(page, HasSubstr("confirmed</span> Hallucinations rise sharply near ratio 0.9."));
  EXPECT_THAT(page, HasSubstr("not decidable</span> Question-aware"));
  EXPECT_THAT(page, HasSubstr("Correlation over all cells: Pearson 0.81 (0.72 to 0.88), Spearman "
                              "0.84 (0.75 to 0.90), n = 352."));
  EXPECT_THAT(page, HasSubstr("Not told: no change point (8 cells)."));
  EXPECT_THAT(page, HasSubstr("Smoothed by a moving mean over three ratios."));
  EXPECT_THAT(page, HasSubstr("<td>0.80 <small>0.72 to 0.86</small></td>"));
  for (const char* table : {"Press against press", "Susceptibility", "Routes",
                            "Probes (all layers together)", "Shape of consensus over the layers"}) {
    EXPECT_THAT(page, HasSubstr("<summary>" + std::string(table) + "</summary>"));
  }
}

TEST(Report, AStatisticThatIsUndefinedSaysWhyAndIsNoNumber) {
  ReportInput input = ExampleInput();
  for (const ReportRow& row : input.rows) {
    input.statistics.probes.push_back({.dataset = row.dataset,
                                       .regime = row.regime,
                                       .press = row.press,
                                       .ratio = row.ratio,
                                       .f1 = std::nullopt,
                                       .note = "one <class> only"});
  }
  input.statistics.correlations.push_back({.scope = "all", .pearson = std::nan("")});
  const std::string page = RenderReport(input);
  EXPECT_THAT(page, HasSubstr("No data: no hidden states were captured (capture: {probes: "));
  EXPECT_THAT(page, HasSubstr("Not told: one &lt;class&gt; only (88 cells)."));
  EXPECT_THAT(page, HasSubstr("Pearson not defined"));
  EXPECT_THAT(Markup(page), Not(HasSubstr(">nan")));
  EXPECT_THAT(Markup(page), Not(HasSubstr(" nan")));
}

TEST(Report, ALongTableOfStatisticsIsCut) {
  ReportInput input = ExampleInput();
  input.statistics.change_points.assign(2003, {.dataset = "d", .regime = "r", .press = "p"});
  EXPECT_THAT(RenderReport(input), HasSubstr("3 more lines: kvscope report --figures DIR"));
}

TEST(Report, TablesShowTheNumbers) {
  ReportInput input;
  input.title = "t";
  for (const auto& [ratio, f1] : {std::pair(0.0, 0.875), {0.5, 0.865}, {0.75, 0.25}}) {
    input.rows.push_back({.dataset = "knowledge",
                          .regime = "agnostic",
                          .press = "snapkv",
                          .ratio = ratio,
                          .answers = 12,
                          .f1 = f1});
  }
  const std::string page = RenderReport(input);
  EXPECT_THAT(page, HasSubstr("<summary>knowledge \u00B7 agnostic</summary>"));
  EXPECT_THAT(page, HasSubstr("<td>0.875</td><td>0.50</td>"));  // uncompressed, unharmed up to
  EXPECT_THAT(page, HasSubstr("0.50 \u2192 0.75</td><td>0.865 \u2192 0.250</td>"));
  EXPECT_THAT(page, HasSubstr("<td>0.75</td><td>12</td>"));
  EXPECT_THAT(page, HasSubstr("title=\"not defined\""));  // GER and consensus are null
}

TEST(Report, ScoresByTagInTheirOrder) {
  ReportInput input;
  const auto add = [&](const std::string& tag, const std::string& value, double ratio, double f1) {
    input.tag_rows.push_back({.dataset = "hops",
                              .regime = "aware",
                              .press = "snap<kv>",
                              .ratio = ratio,
                              .tag = tag,
                              .value = value,
                              .answers = 7,
                              .f1 = f1,
                              .hallucination_rate = 0.125,
                              .unknown_rate = 0.0625});
  };
  add("hop", "10", 0.5, 0.111);
  add("hop", "2", 0.5, 0.222);
  add("hop", "2", 0, 0.999);
  add("hop", "", 0.5, 0.333);
  add("direction", "forward", 0, 0.444);  // one value tells nothing apart
  const std::string markup = Markup(RenderReport(input));
  EXPECT_EQ(NestingError(markup), "");
  EXPECT_THAT(markup, HasSubstr("<summary>hops \u00B7 aware</summary>"));
  EXPECT_THAT(markup, HasSubstr("<th>F1 at 0.00</th><th>F1 at 0.50</th>"));
  EXPECT_THAT(markup, HasSubstr("<code>snap&lt;kv&gt;</code></td><td>7</td>"
                                "<td title=\"7 answers, hallucinations 0.125, unknown 0.062\">0.999"
                                "</td>"));
  EXPECT_THAT(markup, Not(HasSubstr("0.444")));
  EXPECT_LT(markup.find("0.222"), markup.find("0.111"));
  EXPECT_LT(markup.find("0.111"), markup.find("0.333"));
  input.tag_rows.erase(input.tag_rows.begin(), input.tag_rows.begin() + 4);
  EXPECT_THAT(RenderReport(input), HasSubstr("No data: no tag tells the questions"));
}

TEST(Report, EscapesTextFromData) {
  const std::string evil = "</script><script>alert('1')</script>&\"\xff";
  ReportInput input = ExampleInput();
  input.title = evil;
  input.provenance.push_back({evil, evil});
  for (ReportRow& row : input.rows) row.press = row.dataset = row.regime = evil;
  for (ReportSurvivalMap& map : input.survival_maps) {
    map.press = map.passage_id = evil;
    for (std::string& token : map.tokens) token = evil;
  }
  const std::string page = RenderReport(input);
  EXPECT_THAT(page, Not(HasSubstr("<script>alert")));
  EXPECT_THAT(page, HasSubstr("&lt;/script&gt;&lt;script&gt;alert(&#39;1&#39;)"));
  EXPECT_EQ(NestingError(Markup(page)), "");
  const json cells = PageRows(PageData(page), "cells");
  EXPECT_EQ(cells[0]["press"], "</script><script>alert('1')</script>&\"\uFFFD");
}

TEST(Report, AnEmptySweepSaysSo) {
  const std::string page = RenderReport({.title = "empty"});
  EXPECT_EQ(NestingError(Markup(page)), "");
  EXPECT_THAT(page, HasSubstr("No data: the sweep has no finished cell yet."));
  EXPECT_THAT(page, HasSubstr("No data: no survival map was captured"));
  EXPECT_EQ(CountOf(page, "<p class=\"empty\">No data"), 32u + 5);  // figures, findings, tables
  EXPECT_TRUE(PageData(page)["figures"].empty());
}

TEST(Report, AFigureWithoutItsMeasureSaysWhy) {
  ReportInput input = ExampleInput();
  for (ReportRow& row : input.rows) {
    row.ger = row.consensus_mean = std::nullopt;
    for (double& layer : row.consensus_layer) layer = std::nan("");
  }
  const std::string page = RenderReport(input);
  EXPECT_THAT(page, HasSubstr("No data: no gold answer of this sweep has a place in its context"));
  EXPECT_THAT(page, HasSubstr("No data: no attention was captured"));
  EXPECT_EQ(PageData(page)["figures"].size(), 14u - 5);
}

TEST(Report, IsTheSameForRowsInAnyOrder) {
  ReportInput input = ExampleInput();
  const std::string page = RenderReport(input);
  std::reverse(input.rows.begin(), input.rows.end());
  EXPECT_TRUE(page == RenderReport(input));
  input = ExampleInput(Complete());
  const json queries = PageData(RenderReport(input))["queries"];
  std::reverse(input.rows.begin(), input.rows.end());
  std::reverse(input.tag_rows.begin(), input.tag_rows.end());
  ReportStatistics& statistics = input.statistics;
  std::reverse(statistics.probes.begin(), statistics.probes.end());
  std::reverse(statistics.routes.begin(), statistics.routes.end());
  std::reverse(statistics.decomposition.begin(), statistics.decomposition.end());
  std::reverse(statistics.change_points.begin(), statistics.change_points.end());
  EXPECT_TRUE(queries == PageData(RenderReport(input))["queries"]);
}

}  // namespace
}  // namespace kvscope::orchestrator
