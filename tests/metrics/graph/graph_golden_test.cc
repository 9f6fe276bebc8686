// The graph against tests/golden/metrics: every graph of graph_and_survival.json, edges made from
// the attentions there.  Modes: "full" is the uncompressed graph, "decode" ours as computed, "all"
// ours as defined.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "services/metrics/graph/answer_routes.h"
#include "tests/metrics/golden_tensors.h"
#include "tests/metrics/packed_bits.h"

namespace kvscope::metrics {
namespace {

std::string GoldenPath(const std::string& name) {
  return KVSCOPE_SOURCE_DIR "/tests/golden/metrics/" + name;
}

const std::map<std::string, GoldenTensor>& Inputs() {
  static const auto& inputs = *new std::map(ReadGoldenTensors(GoldenPath("inputs.safetensors")));
  return inputs;
}

// One row's graph at one epsilon.
std::shared_ptr<const QuestionGraph> MakeGraph(const nlohmann::json& row, double epsilon) {
  const GoldenTensor& tensor = Inputs().at(row["model"].get<std::string>() + ".attentions");
  const std::vector<float> attention = tensor.Floats();
  const auto layers = static_cast<int>(tensor.shape[0]), heads = static_cast<int>(tensor.shape[1]);
  const int positions = row["K"], tokens = row["T"];
  std::vector<std::vector<GraphEdge>> context(layers), suffix(layers);
  size_t at = 0;
  for (int layer = 0; layer < layers; ++layer) {
    for (int head = 0; head < heads; ++head) {
      for (int query = 0; query < positions; ++query) {
        for (int key = 0; key < positions; ++key, ++at) {
          if (!(double{attention[at]} > epsilon)) continue;
          (query < tokens ? context : suffix)[layer].push_back({head, query, key});
        }
      }
    }
  }
  EXPECT_EQ(at, attention.size());
  auto shared = ContextGraph::Make({layers, heads, tokens}, context).value();
  return std::make_shared<const QuestionGraph>(
      QuestionGraph::Make(std::move(shared), positions, suffix).value());
}

void CheckRoutes(const nlohmann::json& golden, const GraphRoutes& routes) {
  EXPECT_EQ(routes.reached, golden["target_reached"].get<bool>());
  EXPECT_EQ(routes.reached_per_level, golden["reachable_per_level"].get<std::vector<int>>());
  EXPECT_EQ(routes.direct_routes, golden["direct_routes"].get<int>());
  EXPECT_EQ(routes.disjoint_routes, golden["head_disjoint_routes"].get<int>());
  EXPECT_EQ(routes.shortest.has_value(), routes.reached);
  EXPECT_EQ(routes.shortest == 1, routes.direct_routes > 0);
}

TEST(MetricsGolden, Routes) {
  std::ifstream in(GoldenPath("graph_and_survival.json"));
  const nlohmann::json rows = nlohmann::json::parse(in, nullptr, false);
  ASSERT_FALSE(rows.is_discarded());
  std::map<std::string, int> checked;
  for (const nlohmann::json& row : rows) {
    if (!row.contains("graph")) continue;
    const GoldenTensor& mask = Inputs().at(row["key"].get<std::string>() + ".kept_mask");
    const int tokens = row["T"];
    const std::vector<uint8_t> bytes = PackBits(mask.bytes, tokens);
    const KeepBits keep = KeepBits::Make(static_cast<int>(mask.shape[0]),
                                         static_cast<int>(mask.shape[1]), tokens, bytes)
                              .value();
    for (const nlohmann::json& golden : row["graph"]) {
      const std::string mode = golden["mode"];
      SCOPED_TRACE(testing::Message() << row["key"] << " " << mode << " " << golden["eps"]);
      const AnswerRoutes answer =
          AnswerRoutes::Make(MakeGraph(row, golden["eps"]), row["span"].get<std::vector<int32_t>>())
              .value();
      const CellRoutes cell = answer.Measure(keep).value();
      CheckRoutes(golden, mode == "full"     ? answer.uncompressed()
                          : mode == "decode" ? cell.as_computed
                                             : cell.as_defined);
      ++checked[mode];
    }
  }
  EXPECT_THAT(checked, testing::ElementsAre(testing::Pair("all", 32), testing::Pair("decode", 32),
                                            testing::Pair("full", 32)));
}

}  // namespace
}  // namespace kvscope::metrics
