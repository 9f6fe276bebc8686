// What an evaluation says it cost, against what the model's shape says; what a machine can do.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "services/inference/engine/machine_peak.h"
#include "services/inference/engine/state.h"
#include "services/inference/ops/backends.h"
#include "tests/inference/engine/pocket.h"

namespace kvscope::inference {
namespace {

// Weights of one layer: what fills the cache, and what goes on to the next layer.
struct LayerWeightCounts {
  int64_t qkv = 0, rest = 0, lm_head = 0, layers = 0;
};

LayerWeightCounts CountWeights() {
  const ModelConfig& config = Pocket().state().model->config;
  const int64_t hidden = config.hidden_size, q_width = config.q_heads * config.head_dim;
  return {.qkv = hidden * (q_width + 2 * config.kv_heads * config.head_dim),
          .rest = q_width * hidden + 3 * hidden * config.intermediate_size,
          .lm_head = hidden * config.vocab_size,
          .layers = config.layers};
}

TEST(Cost, OfPrefillIsThatOfItsProducts) {
  const PassageRecord record = Evaluate(MakeGrid({"knorm"}, {0, 0.5}), ThreePeople()).front();
  const LayerWeightCounts weights = CountWeights();
  // The last layer only fills its cache: nobody asks for what comes after it.
  const int64_t read = weights.layers * weights.qkv + (weights.layers - 1) * weights.rest;
  const auto tokens = static_cast<int64_t>(record.context_ids.size());
  ASSERT_LE(tokens, Workspace::kPieceRows);
  EXPECT_EQ(record.cost.prefill.weights_read, read);
  EXPECT_EQ(record.cost.prefill.operations, 2 * tokens * read);
}

TEST(Cost, OfDecodingGrowsWithWhatIsDecoded) {
  const PassageCost one = Evaluate(MakeGrid({"knorm"}, {0}), ThreePeople()).front().cost;
  const PassageRecord both = Evaluate(MakeGrid({"knorm"}, {0, 0.5}), ThreePeople()).front();
  int64_t tokens = 0;
  for (const CellRecord& cell : both.cells) {
    for (const StreamRecord& stream : cell.streams) {
      tokens += static_cast<int64_t>(stream.tokens.size());
    }
  }
  EXPECT_EQ(both.cost.answer_tokens, tokens);
  EXPECT_LT(one.answer_tokens, tokens);
  EXPECT_LT(one.decode.operations, both.cost.decode.operations);
  // Every answer token was chosen after a row of its own.
  const LayerWeightCounts weights = CountWeights();
  EXPECT_GE(both.cost.decode.operations,
            2 * tokens * ((weights.layers - 1) * weights.rest + weights.lm_head));
}

TEST(Cost, EqualKeepSetsAreDecodedOnce) {
  const PassageCost one = Evaluate(MakeGrid({"knorm"}, {0}), ThreePeople()).front().cost;
  const PassageCost two = Evaluate(MakeGrid({"knorm", "random"}, {0}), ThreePeople()).front().cost;
  EXPECT_EQ(one.answer_tokens, two.answer_tokens);
  EXPECT_EQ(one.decode.operations, two.decode.operations);
}

TEST(Cost, TimeIsTaken) {
  const PassageCost cost = Evaluate(MakeGrid({"knorm"}, {0.5}), ThreePeople()).front().cost;
  EXPECT_GT(cost.prefill_seconds, 0);
  EXPECT_GT(cost.score_seconds, 0);
  EXPECT_GT(cost.decode_seconds, 0);
}

TEST(MachinePeak, IsNoLessThanAPassageGets) {
  const auto ops = MakeOps("cpu");
  ASSERT_TRUE(ops.ok());
  const MachinePeak peak = MeasurePeak(**ops);
  EXPECT_GT(peak.bfloat16_operations_per_second, 1e8);
  EXPECT_GT(peak.memory_bytes_per_second, 1e8);
  EXPECT_LT(peak.memory_bytes_per_second, 1e13);
  const PassageCost cost = Evaluate(MakeGrid({"knorm"}, {0.5}), ThreePeople()).front().cost;
  EXPECT_GT(peak.float32_operations_per_second,
            static_cast<double>(cost.prefill.operations) / cost.prefill_seconds);
}

}  // namespace
}  // namespace kvscope::inference
