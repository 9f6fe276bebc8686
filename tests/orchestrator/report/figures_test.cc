// Every figure's spec is valid JSON, reads the query it says, and names its axes and its legend.
#include "services/orchestrator/report/figures.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "services/orchestrator/report/embedded.h"
#include "services/orchestrator/report/queries.h"
#include "services/orchestrator/report/survival_queries.h"
#include "tests/orchestrator/report/example_input.h"

namespace kvscope::orchestrator {
namespace {

using nlohmann::json;

std::vector<FigureInfo> AllFigures() {
  std::vector<FigureInfo> all(Figures().begin(), Figures().end());
  all.push_back(kSurvivalMapFigure);
  return all;
}

// Calls `visit` on every object `encoding` below `node`.
template <typename Visit>
void ForEachEncoding(const json& node, const Visit& visit) {
  if (!node.is_structured()) return;
  for (const auto& [key, child] : node.items()) {
    if (key == "encoding") visit(child);
    ForEachEncoding(child, visit);
  }
}

bool HasTitle(const json& channel) {
  return channel.contains("title") && channel["title"].is_string() &&
         !channel["title"].get<std::string>().empty();
}

class FigureTest : public ::testing::TestWithParam<FigureInfo> {};

TEST_P(FigureTest, ReadsItsQuery) {
  const json spec = FigureSpec(GetParam(), {});
  EXPECT_EQ(spec["data"], json({{"name", GetParam().query}}));
  EXPECT_FALSE(spec.contains("$schema"));
  EXPECT_EQ(spec.dump().find("http"), std::string::npos);
  EXPECT_EQ(spec.dump().find("\"url\""), std::string::npos);
}

TEST_P(FigureTest, NamesAxesAndLegend) {
  const json spec = FigureSpec(GetParam(), {});
  std::set<std::string> titled;
  ForEachEncoding(spec, [&titled](const json& encoding) {
    for (const auto& [channel, value] : encoding.items()) {
      if (!value.contains("field") || channel == "x2" || channel == "y2") continue;
      if (channel == "text" || channel == "detail" || channel == "order") continue;
      if (channel == "tooltip") continue;
      EXPECT_TRUE(HasTitle(value)) << channel;
      titled.insert(channel);
    }
    for (const json& tip : encoding.value("tooltip", json::array())) {
      EXPECT_TRUE(HasTitle(tip)) << tip;
    }
  });
  EXPECT_TRUE(titled.contains("x"));
  EXPECT_TRUE(titled.contains("y"));
  EXPECT_TRUE(titled.contains("color"));
  EXPECT_NE(spec.dump().find("\"tooltip\""), std::string::npos);
}

TEST_P(FigureTest, DrawsItsMeasure) {
  EXPECT_NE(FigureSpec(GetParam(), {}).dump().find('"' + std::string(GetParam().measure) + '"'),
            std::string::npos);
}

// The fields that a spec reads of its rows, and those that its transforms make.
struct SpecFields {
  std::set<std::string> read, made = {"group", "column", "layer"};
};

void Collect(const json& node, SpecFields& fields) {
  static const std::regex kDatum("datum\\.([A-Za-z0-9_]+)");
  if (!node.is_structured()) return;
  for (const auto& [key, child] : node.items()) {
    const bool name = child.is_string() && (key == "field" || key == "regression" || key == "on");
    if (name) fields.read.insert(child.get<std::string>());
    if (key == "as" && child.is_string()) fields.made.insert(child.get<std::string>());
    if (key == "as" && child.is_array()) fields.made.insert(child.begin(), child.end());
    if (key == "flatten" || key == "fold") fields.read.insert(child.begin(), child.end());
    if (child.is_string() && key != "labelExpr" && key != "test") {
      const std::string text = child;
      for (std::sregex_iterator at(text.begin(), text.end(), kDatum), end; at != end; ++at) {
        fields.read.insert((*at)[1]);
      }
    }
    Collect(child, fields);
  }
}

TEST_P(FigureTest, ReadsFieldsThatItsQueryHas) {
  const ReportInput input = ExampleInput({.statistics = true});
  const std::vector<DegradationCurve> curves = Curves(input.rows);
  const std::vector<SurvivalFigure> maps = SurvivalFigures(input.survival_maps);
  std::vector<NamedQuery> queries = Queries(input, curves);
  const auto map = [&](const TakeRow& take) { SurvivalRowsQuery(maps[0], take); };
  queries.push_back({"survival_rows", map});
  const auto query = std::find_if(queries.begin(), queries.end(),
                                  [](const NamedQuery& q) { return q.name == GetParam().query; });
  ASSERT_NE(query, queries.end());
  std::set<std::string> has;
  if (query->name == "survival_rows") has = {"first", "end", "text", "answer"};  // looked up
  std::set<std::string> first;
  query->run([&](const json& row) {
    std::set<std::string> names;
    for (const auto& [field, value] : row.items()) names.insert(field);
    if (first.empty()) first = names;
    ASSERT_EQ(names, first);
  });
  has.insert(first.begin(), first.end());
  SpecFields fields;
  Collect(FigureSpec(GetParam(), {}), fields);
  for (const std::string& field : fields.read) {
    EXPECT_TRUE(has.contains(field) || fields.made.contains(field)) << field;
  }
  EXPECT_TRUE(has.contains(std::string(GetParam().measure)));
}

INSTANTIATE_TEST_SUITE_P(Report, FigureTest, ::testing::ValuesIn(AllFigures()),
                         [](const auto& info) { return std::string(info.param.id); });

TEST(Figures, EverySpecInTheFolderBelongsToAFigure) {
  std::set<std::string> ids;
  for (const FigureInfo& figure : AllFigures()) ids.insert(std::string(figure.id) + ".vl.json");
  const std::string folder = KVSCOPE_SOURCE_DIR "/services/orchestrator/report/figures";
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    EXPECT_TRUE(ids.contains(file.path().filename().string())) << file.path();
  }
}

TEST(EmbeddedFile, IsTheWholeBundle) {
  EXPECT_EQ(EmbeddedFile("vega.js").size(), 501599u);
  EXPECT_EQ(EmbeddedFile("vega-lite.js").size(), 267999u);
  EXPECT_EQ(EmbeddedFile("vega-embed.js").size(), 70635u);
  EXPECT_DEATH(EmbeddedFile("no.js"), "");
}

TEST(EmbeddedFile, ScriptsCannotEndTheirElement) {
  for (const char* name : {"vega.js", "vega-lite.js", "vega-embed.js", "report.js"}) {
    EXPECT_EQ(EmbeddedFile(name).find("</script"), std::string_view::npos) << name;
    EXPECT_EQ(EmbeddedFile(name).find("<!--"), std::string_view::npos) << name;
  }
  EXPECT_EQ(EmbeddedFile("vega.LICENSE").find("--"), std::string_view::npos);
}

TEST(EmbeddedFile, ThemeIsJson) {
  EXPECT_TRUE(json::parse(EmbeddedFile("theme.json"), nullptr, false).is_object());
}

}  // namespace
}  // namespace kvscope::orchestrator
