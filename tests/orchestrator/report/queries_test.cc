#include "services/orchestrator/report/queries.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "services/orchestrator/report/layer_queries.h"
#include "services/orchestrator/report/survival_queries.h"

namespace kvscope::orchestrator {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

ReportRow Row(double ratio, double f1) {
  return {.dataset = "d", .regime = "r", .press = "p", .ratio = ratio, .f1 = f1};
}

ReportSurvivalMap Map(double ratio, int layers, int kv_heads, int tokens,
                      std::vector<uint8_t> bits) {
  return {.dataset = "d",
          .passage_id = "1",
          .regime = "r",
          .press = "p",
          .ratio = ratio,
          .layers = layers,
          .kv_heads = kv_heads,
          .tokens = std::vector<std::string>(tokens, "x"),
          .answer_tokens = {},
          .bits = std::move(bits)};
}

// All rows of a query.
template <typename Input>
json Rows(void (*query)(const Input&, const TakeRow&), const Input& input) {
  json rows = json::array();
  query(input, [&rows](const json& row) { rows.push_back(row); });
  return rows;
}

TEST(CellsQuery, UndefinedIsNull) {
  const json rows = Rows(CellsQuery, Curves({Row(0.5, 0.25)}));
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0]["f1"], 0.25);
  EXPECT_TRUE(rows[0]["ger"].is_null());
  EXPECT_TRUE(rows[0]["consensus_mean"].is_null());
}

TEST(CellsQuery, AMissingCellIsAGap) {
  std::vector<ReportRow> input = {Row(0, 0.8), Row(0.5, 0.6), Row(0.9, 0.1)};
  for (const double ratio : {0.0, 0.9}) {
    input.push_back(Row(ratio, 0.7));
    input.back().press = "q";
  }
  const json rows = Rows(CellsQuery, Curves(input));
  ASSERT_EQ(rows.size(), 6u);
  EXPECT_EQ(rows[4]["press"], "q");
  EXPECT_EQ(rows[4]["ratio"], 0.5);
  EXPECT_TRUE(rows[4]["f1"].is_null());
  EXPECT_TRUE(rows[4]["answers"].is_null());
  EXPECT_EQ(rows[5]["ratio"], 0.9);
  EXPECT_EQ(rows[5]["f1"], 0.7);
}

TEST(CellsQuery, NeverNan) {
  ReportRow row = Row(0.5, std::nan(""));
  row.f1_interval = ReportInterval(std::nan(""), 0.5);
  const json rows = Rows(CellsQuery, Curves({row}));
  EXPECT_TRUE(rows[0]["f1"].is_null());
  EXPECT_TRUE(rows[0]["f1_lo"].is_null());
  EXPECT_EQ(rows[0]["f1_hi"], 0.5);
}

json TagRows(const std::vector<ReportTagRow>& input, const std::string& tag) {
  json rows = json::array();
  TagQuery(input, tag, [&rows](const json& row) { rows.push_back(row); });
  return rows;
}

TEST(TagQuery, LeavesOutWhatTellsNothingApart) {
  const auto row = [](const char* dataset, const char* tag, const char* value, double ratio) {
    return ReportTagRow{.dataset = dataset,
                        .regime = "r",
                        .press = "p",
                        .ratio = ratio,
                        .tag = tag,
                        .value = value,
                        .answers = 3,
                        .f1 = 0.5};
  };
  const std::vector<ReportTagRow> input = {
      row("one", "hop", "0", 0.5), row("two", "hop", "1", 0.5),
      row("two", "hop", "0", 0.5), row("two", "hop", "0", 0.9),
      row("two", "hop", "", 0.5),  row("two", "direction", "forward", 0.5)};
  const json rows = TagRows(input, "hop");
  ASSERT_EQ(rows.size(), 4u);
  EXPECT_EQ(rows[0]["value"], "0");
  EXPECT_EQ(rows[1]["ratio"], 0.9);
  EXPECT_EQ(rows[1]["f1"], 0.5);
  EXPECT_EQ(rows[3]["value"], "1");
  EXPECT_TRUE(rows[3]["f1"].is_null());  // hop 1 misses ratio 0.9: a gap
  EXPECT_THAT(TagRows(input, "direction"), IsEmpty());
}

TEST(DegradationQuery, MarksBothEndsOfTheCliff) {
  const json rows = Rows(DegradationQuery, Curves({Row(0, 0.8), Row(0.5, 0.6), Row(0.6, 0.2)}));
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[1]["retained_f1"], 0.6 / 0.8);
  EXPECT_EQ(rows[0]["cliff"], false);
  EXPECT_EQ(rows[1]["cliff"], true);
  EXPECT_EQ(rows[2]["cliff"], true);
  EXPECT_EQ(rows[1]["cliff_end"], false);
  EXPECT_EQ(rows[2]["cliff_end"], true);
  EXPECT_EQ(rows[2]["cliff_label"], "\u22120.50");
  EXPECT_EQ(rows[2]["cliff_text"], "F1 0.600 \u2192 0.200 between ratios 0.50 and 0.60");
}

TEST(DegradationQuery, LeavesOutCurvesWithoutAnUncompressedF1) {
  EXPECT_THAT(Rows(DegradationQuery, Curves({Row(0.1, 0.8), Row(0.5, 0.6)})), IsEmpty());
  EXPECT_THAT(Rows(DegradationQuery, Curves({Row(0, 0.0), Row(0.5, 0.0)})), IsEmpty());
}

TEST(PanelRatios, TakesTheNearest) {
  EXPECT_THAT(PanelRatios({0, 0.9, 0.5, 0.1, 0.5}), ElementsAre(0.1, 0.5, 0.9));
  EXPECT_THAT(PanelRatios({0, 0.45, 0.95}), ElementsAre(0.45, 0.95));
  EXPECT_THAT(PanelRatios({0, 0.25, 0.7}), IsEmpty());
  EXPECT_THAT(PanelRatios({}), IsEmpty());
}

TEST(ConsensusByLayerQuery, PutsTheUncompressedCacheIntoEveryPanelOnce) {
  std::vector<ReportRow> input;
  for (const char* press : {"p", "q"}) {
    for (const double ratio : {0.0, 0.1, 0.3, 0.9}) {
      ReportRow& row = input.emplace_back(Row(ratio, 0.5));
      row.press = press;
      row.consensus_layer = {0.5};
    }
  }
  std::vector<std::string> panels_and_presses;
  for (const json& row : Rows(ConsensusByLayerQuery, Curves(input))) {
    panels_and_presses.push_back(row["panel"].get<std::string>() + " " +
                                 row["press"].get<std::string>());
  }
  EXPECT_THAT(panels_and_presses,
              ElementsAre("10 % removed uncompressed", "90 % removed uncompressed",
                          "10 % removed p", "90 % removed p", "10 % removed q", "90 % removed q"));
}

TEST(ConsensusByLayerQuery, UndefinedLayersAreNull) {
  ReportRow row = Row(0.5, 0.5);
  row.consensus_layer = {0.25, std::nan("")};
  row.agreement_layer = {std::nan(""), 0.75};
  const json rows = Rows(ConsensusByLayerQuery, Curves({row, Row(0.9, 0.5)}));
  ASSERT_EQ(rows.size(), 1u);  // none of the row that has no layers
  EXPECT_EQ(rows[0]["layers"], 2);
  EXPECT_EQ(rows[0]["consensus"], json({0.25, nullptr}));
  EXPECT_EQ(rows[0]["agreement"], json({nullptr, 0.75}));
}

TEST(SurvivalRows, ReadsTheKeepBits) {
  const std::vector<ReportSurvivalMap> maps = {Map(0.5, 1, 2, 9, {0b101, 0b1, 0b10, 0b0})};
  const std::vector<SurvivalFigure> figures = SurvivalFigures(maps);
  ASSERT_THAT(figures, SizeIs(1));
  const json rows = Rows(SurvivalRowsQuery, figures[0]);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0]["row"], "L0 \u00B7 H0");
  EXPECT_EQ(rows[0]["kept"], json({1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0}));
  EXPECT_EQ(rows[1]["kept"], json({0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0}));
}

TEST(SurvivalRows, BinsLongContextsAndManyHeads) {
  std::vector<uint8_t> bits(40 * 2 * 40);
  for (size_t row = 0; row < 80; row += 2) {  // even heads keep all, odd ones nothing
    std::fill_n(bits.begin() + row * 40, 40, 0xff);
  }
  const std::vector<ReportSurvivalMap> maps = {Map(0.5, 40, 2, 320, bits)};
  const std::vector<SurvivalFigure> figures = SurvivalFigures(maps);
  const json rows = Rows(SurvivalRowsQuery, figures[0]);
  const json columns = Rows(SurvivalColumnsQuery, figures[0]);
  ASSERT_EQ(rows.size(), 40u);
  EXPECT_EQ(rows[39]["row"], "L39");
  EXPECT_EQ(rows[39]["kept"].size(), 160u);
  EXPECT_EQ(rows[39]["kept"][159], 0.5);
  ASSERT_EQ(columns.size(), 160u);
  EXPECT_EQ(columns[159]["first"], 318);
  EXPECT_EQ(columns[159]["end"], 320);
  EXPECT_EQ(columns[159]["text"], "xx");
}

TEST(SurvivalColumns, MarkAnswersAndShowLineBreaks) {
  ReportSurvivalMap map = Map(0.5, 1, 1, 3, {0b111});
  map.tokens = {" a", "\n", "b"};
  map.answer_tokens = {false, false, true};
  const std::vector<ReportSurvivalMap> maps = {map};
  const json columns = Rows(SurvivalColumnsQuery, SurvivalFigures(maps)[0]);
  EXPECT_EQ(columns[1]["text"], "\u21B5");
  EXPECT_EQ(columns[1]["answer"], false);
  EXPECT_EQ(columns[2]["answer"], true);
}

TEST(SurvivalFigures, LeaveOutMapsThatDoNotMatchTheirShape) {
  ReportSurvivalMap wrong_answers = Map(0.5, 1, 1, 8, {1});
  wrong_answers.answer_tokens = {true};
  const std::vector<ReportSurvivalMap> maps = {Map(0.5, 1, 1, 9, {1}), Map(0.5, 0, 1, 8, {1}),
                                               Map(0.5, 1, 1, 0, {}), Map(0.5, 2, 1, 8, {1}),
                                               wrong_answers};
  EXPECT_THAT(SurvivalFigures(maps), IsEmpty());
}

}  // namespace
}  // namespace kvscope::orchestrator
