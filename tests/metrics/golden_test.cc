// The metrics against tests/golden/metrics, which reference_metrics.py there defines.  The golden
// `eviction_rate` is our evicted_share; ours (the paper's) is the mean of `global_evicted_all`.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "services/metrics/consensus/consensus.h"
#include "services/metrics/outcome/token_f1.h"
#include "services/metrics/survival/survival.h"
#include "tests/metrics/golden_tensors.h"
#include "tests/metrics/packed_bits.h"

namespace kvscope::metrics {
namespace {

using ::testing::DoubleNear;
using ::testing::Optional;
using ::testing::Pointwise;

constexpr double kTolerance = 1e-12;

std::string GoldenPath(const std::string& name) {
  return KVSCOPE_SOURCE_DIR "/tests/golden/metrics/" + name;
}

nlohmann::json ReadGolden(const std::string& name) {
  std::ifstream in(GoldenPath(name));
  nlohmann::json json = nlohmann::json::parse(in, nullptr, false);
  EXPECT_FALSE(json.is_discarded() || json.empty()) << name;
  return json;
}

const std::map<std::string, GoldenTensor>& Inputs() {
  static const auto& inputs = *new std::map(ReadGoldenTensors(GoldenPath("inputs.safetensors")));
  return inputs;
}

MATCHER(Near, "") { return std::abs(std::get<0>(arg) - std::get<1>(arg)) <= kTolerance; }

void CheckSurvival(const nlohmann::json& row) {
  const GoldenTensor& mask = Inputs().at(row["key"].get<std::string>() + ".kept_mask");
  const int layers = static_cast<int>(mask.shape[0]), heads = static_cast<int>(mask.shape[1]);
  const int tokens = row["T"];
  ASSERT_EQ(mask.shape[2], tokens);
  const std::vector<uint8_t> bytes = PackBits(mask.bytes, tokens);
  const CellSurvival cell(KeepBits::Make(layers, heads, tokens, bytes).value());
  const SurvivalMetrics& metrics = cell.metrics();

  EXPECT_NEAR(metrics.evicted_share, row["eviction_rate"].get<double>(), kTolerance);
  EXPECT_THAT(metrics.evicted_share_layer,
              Pointwise(Near(), row["eviction_rate_per_layer"].get<std::vector<double>>()));
  EXPECT_NEAR(metrics.eviction_rate, row["ger_all_whole_context"].get<double>(), kTolerance);
  EXPECT_NEAR(metrics.eviction_rate * tokens, static_cast<double>(row["global_evicted_all"].size()),
              kTolerance * tokens);

  std::vector<int32_t> everything(tokens);
  for (int t = 0; t < tokens; ++t) everything[t] = t;
  const AnswerSurvival whole = cell.Answer(everything).value();
  EXPECT_THAT(whole.ger, Optional(DoubleNear(metrics.eviction_rate, kTolerance)));
  for (int l = 0; l < layers; ++l) {
    const std::vector<int32_t> evicted = row["global_evicted_per_layer"][l];
    EXPECT_NEAR(metrics.eviction_rate_layer[l], static_cast<double>(evicted.size()) / tokens,
                kTolerance);
    for (int32_t t = 0; t < tokens; ++t) {  // which tokens, not only how many
      const double expected = std::count(evicted.begin(), evicted.end(), t) ? 1.0 : 0.0;
      EXPECT_EQ((*cell.Answer({&t, 1}).value().ger_layer)[l], expected) << "token " << t;
    }
  }

  const std::vector<int32_t> span = row["span"];
  const AnswerSurvival answer = cell.Answer(span).value();
  EXPECT_THAT(answer.ger, Optional(DoubleNear(row["ger_all"], kTolerance)));
  EXPECT_THAT(*answer.ger_layer,
              Pointwise(Near(), row["ger_per_layer"].get<std::vector<double>>()));
  EXPECT_THAT(answer.ger_layer_mean, Optional(DoubleNear(row["ger_layer_mean"], kTolerance)));
}

TEST(MetricsGolden, Survival) {
  int rows = 0;
  for (const nlohmann::json& row : ReadGolden("graph_and_survival.json")) {
    if (!row.contains("span")) continue;
    SCOPED_TRACE(row["key"]);
    CheckSurvival(row);
    ++rows;
  }
  EXPECT_EQ(rows, 16);
}

void CheckConsensus(const nlohmann::json& golden) {
  const nlohmann::json& top = golden["top_tokens"];
  std::vector<int32_t> ids;
  for (const nlohmann::json& layer : top) {
    for (const int32_t id : layer) ids.push_back(id);
  }
  const int layers = static_cast<int>(top.size()), heads = static_cast<int>(top[0].size());
  const ConsensusMetrics metrics = MeasureConsensus({1, layers, heads, ids}).value();
  double sum = 0, largest = 0;
  for (int l = 0; l < layers; ++l) {
    const double consensus = golden["consensus"][l], agreement = golden["agreement"][l];
    EXPECT_THAT(metrics.consensus_layer[l], Optional(DoubleNear(consensus, kTolerance)));
    EXPECT_THAT(metrics.agreement_layer[l], Optional(DoubleNear(agreement, kTolerance)));
    sum += consensus;
    largest = std::max(largest, agreement);
  }
  EXPECT_THAT(metrics.consensus_mean, Optional(DoubleNear(sum / layers, kTolerance)));
  EXPECT_THAT(metrics.agreement_max, Optional(DoubleNear(largest, kTolerance)));
}

TEST(MetricsGolden, Consensus) {
  int cases = 0;
  for (const nlohmann::json& row : ReadGolden("graph_and_survival.json")) {
    if (!row.contains("agreement")) continue;
    for (const auto& [rows_and_heads, golden] : row["agreement"].items()) {
      SCOPED_TRACE(row["key"].get<std::string>() + " " + rows_and_heads);
      CheckConsensus(golden);
      ++cases;
    }
  }
  EXPECT_EQ(cases, 8);
}

// The row our headline uses: last position, query heads, context columns, ties to the earlier
// token.
TEST(MetricsGolden, ConsensusOfTheLastAttentionRow) {
  for (const nlohmann::json& row : ReadGolden("graph_and_survival.json")) {
    if (!row.contains("agreement")) continue;
    SCOPED_TRACE(row["key"]);
    const GoldenTensor& tensor = Inputs().at(row["model"].get<std::string>() + ".attentions");
    const std::vector<float> attention = tensor.Floats();
    const int64_t layers = tensor.shape[0], heads = tensor.shape[1], positions = tensor.shape[3];
    const int64_t context = row["T"];
    std::vector<int32_t> ids;
    for (int64_t i = 0; i < layers * heads; ++i) {
      const auto begin = attention.begin() + ((i + 1) * positions - 1) * positions;
      ids.push_back(static_cast<int32_t>(std::max_element(begin, begin + context) - begin));
    }
    const ConsensusMetrics metrics =
        MeasureConsensus({1, static_cast<int>(layers), static_cast<int>(heads), ids}).value();
    const nlohmann::json& golden = row["agreement"]["last_query/query_heads"];
    for (int64_t l = 0; l < layers; ++l) {
      EXPECT_THAT(metrics.consensus_layer[l],
                  Optional(DoubleNear(golden["consensus"][l], kTolerance)));
      EXPECT_THAT(metrics.agreement_layer[l],
                  Optional(DoubleNear(golden["agreement"][l], kTolerance)));
    }
  }
}

TEST(MetricsGolden, TokenF1) {
  const nlohmann::json rows = ReadGolden("token_f1.json");
  EXPECT_EQ(rows.size(), 20u);
  for (const nlohmann::json& row : rows) {
    const std::vector<int32_t> answer = row["pred"], gold = row["gold"];
    EXPECT_NEAR(TokenF1(answer, gold), row["f1"].get<double>(), kTolerance) << row;
  }
}

}  // namespace
}  // namespace kvscope::metrics
