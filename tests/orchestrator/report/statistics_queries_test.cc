#include "services/orchestrator/report/statistics_queries.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "services/orchestrator/report/layer_queries.h"
#include "services/orchestrator/report/probe_queries.h"

namespace kvscope::orchestrator {
namespace {

using nlohmann::json;

struct Taken {
  json rows = json::array();
  TakeRow take = [this](const json& row) { rows.push_back(row); };
};

template <typename Row>
Row Of(const std::string& press, double ratio) {
  Row row;
  row.dataset = "d";
  row.regime = "r";
  row.press = press;
  row.ratio = ratio;
  return row;
}

TEST(DecompositionQuery, PartsTheAnswersAndJoinsConsensus) {
  auto cell = Of<ReportRow>("p", 0.5);
  cell.consensus_mean = 0.4;
  auto row = Of<ReportDecompositionRow>("p", 0.5);
  row.answers = 40;
  row.failures = 10;
  row.erasure_share = 0.25;
  row.rigidity_share = 0.75;
  row.erasure_interval = ReportInterval(0.1, 0.4);
  auto none = Of<ReportDecompositionRow>("p", 0.1);  // nothing failed, and no such cell
  none.answers = 40;
  Taken taken;
  DecompositionQuery({row, none}, Curves({cell}), taken.take);
  ASSERT_EQ(taken.rows.size(), 2u);
  EXPECT_EQ(taken.rows[0]["erasure"], 0.0);
  EXPECT_TRUE(taken.rows[0]["erasure_share"].is_null());
  EXPECT_TRUE(taken.rows[0]["rigidity_at_consensus"].is_null());
  EXPECT_EQ(taken.rows[1]["erasure"], 0.25 * 10 / 40);
  EXPECT_EQ(taken.rows[1]["rigidity"], 0.75 * 10 / 40);
  EXPECT_EQ(taken.rows[1]["erasure_hi"], 0.4);
  EXPECT_EQ(taken.rows[1]["consensus_mean"], 0.4);
  EXPECT_EQ(taken.rows[1]["rigidity_at_consensus"], 0.75);
}

TEST(ComparisonsQuery, KeepsPairsApartWithGapsOfTheirOwn) {
  std::vector<ReportComparison> rows;
  for (const char* against : {"random", "snapkv"}) {
    for (const double ratio : {0.5, 0.9}) {
      if (against == std::string("snapkv") && ratio == 0.9) continue;
      rows.push_back(Of<ReportComparison>("p", ratio));
      rows.back().against = against;
      rows.back().difference = ratio;
      rows.back().note = "few passages";
    }
  }
  Taken taken;
  ComparisonsQuery(rows, taken.take);
  ASSERT_EQ(taken.rows.size(), 4u);
  EXPECT_EQ(taken.rows[1]["difference"], 0.9);
  EXPECT_EQ(taken.rows[3]["against"], "snapkv");
  EXPECT_EQ(taken.rows[3]["ratio"], 0.9);
  EXPECT_TRUE(taken.rows[3]["difference"].is_null());
  EXPECT_EQ(taken.rows[3]["note"], "");
}

TEST(RoutesQuery, UndefinedIsNull) {
  auto row = Of<ReportRouteRow>("p", 0.5);
  row.reachable_defined = std::nan("");
  row.disjoint_computed = 3;
  Taken taken;
  RoutesQuery({row}, taken.take);
  EXPECT_TRUE(taken.rows[0]["reachable_defined"].is_null());
  EXPECT_TRUE(taken.rows[0]["bound"].is_null());
  EXPECT_EQ(taken.rows[0]["disjoint_computed"], 3.0);
}

TEST(LayersQuery, ShowsTwelveRatiosAndTheShape) {
  std::vector<ReportRow> cells;
  for (int i = 0; i < 100; ++i) {
    cells.push_back(Of<ReportRow>("p", i / 100.0));
    cells.back().eviction_rate_layer = {0.5, std::nan(""), 0.25};
    cells.back().consensus_layer = {0.75};
  }
  auto shape = Of<ReportDepthShape>("p", 0.99);
  shape.label = "funnel";
  Taken taken;
  LayersQuery(Curves(cells), {shape}, taken.take);
  ASSERT_EQ(taken.rows.size(), kMaxLayerRatios);
  EXPECT_EQ(taken.rows[0]["ratio"], 0.0);
  EXPECT_EQ(taken.rows[0]["layers"], 3);
  EXPECT_EQ(taken.rows[0]["eviction"], json({0.5, nullptr, 0.25}));
  EXPECT_EQ(taken.rows[0]["consensus"], json({0.75}));
  EXPECT_EQ(taken.rows[0]["shape"], "");
  EXPECT_EQ(taken.rows[11]["ratio"], 0.99);
  EXPECT_EQ(taken.rows[11]["shape"], "funnel");
}

ReportProbeRow Probe(double ratio, int layer, const std::string& tag, std::optional<double> f1) {
  auto row = Of<ReportProbeRow>("p", ratio);
  row.layer = layer;
  row.tag = tag;
  row.f1 = f1;
  return row;
}

TEST(ProbesQuery, StandsBesideTheAnswers) {
  auto cell = Of<ReportRow>("p", 0.5);
  cell.f1 = 0.25;
  cell.answers = 8;
  Taken taken;
  ProbesQuery({Probe(0.5, 3, "", 0.6), Probe(0.5, -1, "", 0.9), Probe(0.5, -1, "Person", 0.7)},
              Curves({cell}), taken.take);
  ASSERT_EQ(taken.rows.size(), 1u);
  EXPECT_EQ(taken.rows[0]["probe"], 0.9);
  EXPECT_EQ(taken.rows[0]["f1"], 0.25);
  EXPECT_EQ(WholeProbeLayer({Probe(0.5, 1, "", 0.6), Probe(0.5, 3, "", 0.6)}), 3);
}

TEST(ProbesRadarQuery, CornersLieOnTheirSpokes) {
  Taken taken;
  ProbesRadarQuery({Probe(0.5, -1, "A", 1.0), Probe(0.5, -1, "B", 0.5), Probe(0.5, -1, "C", 0.25),
                    Probe(0.5, -1, "D", std::nullopt), Probe(0.5, 2, "E", 0.5)},
                   taken.take);
  std::vector<std::pair<json, json>> corners;
  int rings = 0, spokes = 0, labels = 0;
  for (const json& row : taken.rows) {
    if (row["part"] == "press") corners.emplace_back(row["x"], row["y"]);
    rings += row["part"] == "ring";
    spokes += row["part"] == "spoke";
    labels += row["part"] == "tag";
  }
  EXPECT_EQ(rings, 4 * 5);
  EXPECT_EQ(spokes, 2 * 4);
  EXPECT_EQ(labels, 4);
  ASSERT_EQ(corners.size(), 5u);
  EXPECT_EQ(corners[0], std::pair(json(0.0), json(1.0)));  // the first at the top, clockwise
  EXPECT_EQ(corners[1], std::pair(json(0.5), json(0.0)));
  EXPECT_EQ(corners[2], std::pair(json(0.0), json(-0.25)));
  EXPECT_EQ(corners[3], std::pair(json(), json()));  // no F1: the polygon is broken
  EXPECT_EQ(corners[4], corners[0]);                 // and closed
}

TEST(ProbesRadarQuery, PutsTheUncompressedCacheIntoEveryPanel) {
  std::vector<ReportProbeRow> rows;
  for (const double ratio : {0.0, 0.1, 0.5, 0.9}) rows.push_back(Probe(ratio, -1, "A", ratio));
  Taken taken;
  ProbesRadarQuery(rows, taken.take);
  std::vector<std::string> corners;
  for (const json& row : taken.rows) {
    if (row["part"] != "press" || row["order"] != 0) continue;
    corners.push_back(row["panel"].get<std::string>() + " " + row["press"].get<std::string>());
  }
  EXPECT_EQ(corners, (std::vector<std::string>{"10 % removed uncompressed", "10 % removed p",
                                               "50 % removed uncompressed", "50 % removed p",
                                               "90 % removed uncompressed", "90 % removed p"}));
}

}  // namespace
}  // namespace kvscope::orchestrator
