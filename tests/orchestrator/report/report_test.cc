#include "services/orchestrator/report/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "services/orchestrator/report/embedded.h"
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

TEST(Report, IsOneWellFormedPage) {
  const std::string page = RenderReport(ExampleInput());
  EXPECT_TRUE(page.starts_with("<!DOCTYPE html>\n<html lang=\"en\">"));
  EXPECT_EQ(NestingError(Markup(page)), "");
  EXPECT_EQ(CountOf(page, "<h1>pocket-cliff</h1>"), 1u);
  EXPECT_THAT(page, HasSubstr("<dt>model</dt><dd>models/pocket-llama (llama"));
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
  EXPECT_EQ(data["figures"].size(), 12u);
  for (const json& figure : data["figures"]) {
    const json& spec = data["specs"][figure["spec"].get<std::string>()];
    const std::string name = spec["data"]["name"];
    const json& rows = data["queries"][figure["queries"][name].get<std::string>()];
    EXPECT_GT(rows.size(), 0u) << figure;
  }
  EXPECT_EQ(data["queries"]["cells"].size(), 88u);  // 2 regimes, 4 presses, 11 ratios
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
  const json cells = PageData(page)["queries"]["cells"];
  EXPECT_EQ(cells[0]["press"], "</script><script>alert('1')</script>&\"\uFFFD");
}

TEST(Report, AnEmptySweepSaysSo) {
  const std::string page = RenderReport({.title = "empty"});
  EXPECT_EQ(NestingError(Markup(page)), "");
  EXPECT_THAT(page, HasSubstr("No data: the sweep has no finished cell yet."));
  EXPECT_THAT(page, HasSubstr("No data: no survival map was captured"));
  EXPECT_EQ(CountOf(page, "<p class=\"empty\">No data"), 12u + 3);  // figures and three tables
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
  EXPECT_EQ(PageData(page)["figures"].size(), 12u - 4);
}

TEST(Report, IsTheSameForRowsInAnyOrder) {
  ReportInput input = ExampleInput();
  const std::string page = RenderReport(input);
  std::reverse(input.rows.begin(), input.rows.end());
  EXPECT_TRUE(page == RenderReport(input));
}

}  // namespace
}  // namespace kvscope::orchestrator
