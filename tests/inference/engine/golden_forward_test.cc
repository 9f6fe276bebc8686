// Every golden model on every backend against transformers: hidden states, keys, values, logits,
// attention weights and greedy continuations.
#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <string>
#include <tuple>
#include <vector>

#include "gtest/gtest.h"
#include "services/inference/engine/prefill.h"
#include "tests/inference/engine/golden_model.h"

namespace kvscope::inference {
namespace {

// The golden data's recommended tolerances for float32, whatever the order of summation.
constexpr float kStateTolerance = 5e-4f;
constexpr float kLogitTolerance = 1e-3f;
constexpr float kWeightTolerance = 1e-4f;

class GoldenForward : public GoldenModelTest {
 protected:
  // Compares a whole host tensor with a part of a golden one, from element `offset` on.
  static void ExpectNear(const Tensor& found, const Tensor& golden, int64_t offset, float tolerance,
                         const std::string& what) {
    ASSERT_LE(offset + found.size(), golden.size()) << what;
    float worst = 0;
    for (int64_t i = 0; i < found.size(); ++i) {
      const float difference = std::fabs(found.f32()[i] - golden.f32()[offset + i]);
      worst = difference <= worst ? worst : difference;  // also takes a NaN
    }
    EXPECT_LE(worst, tolerance) << what;
  }

  Tensor OnHost(const Tensor& tensor) const {
    Tensor host = AllocateHost(tensor.dtype(), tensor.shape());
    model_->ops->ToHost(tensor, host.data());
    return host;
  }

  PrefillResult Run(const std::vector<int32_t>& ids, bool attention) {
    PrefillRequest request;
    request.ids = ids;
    request.logits = LogitsWanted::kAll;
    request.hidden = true;
    request.attention = attention;
    auto result = Prefill(*model_, request, *workspace_);
    EXPECT_TRUE(result.ok()) << result.status();
    return *std::move(result);
  }

  void ExpectStates(const PrefillResult& result, const std::string& input) {
    const Tensor hidden = Golden(input + ".hidden_states");
    const Tensor keys = Golden(input + ".keys"), values = Golden(input + ".values");
    ASSERT_EQ(static_cast<int64_t>(result.hidden.size()), hidden.dim(0));
    for (size_t i = 0; i < result.hidden.size(); ++i) {
      ExpectNear(result.hidden[i], hidden, static_cast<int64_t>(i) * result.hidden[i].size(),
                 kStateTolerance, input + " hidden " + std::to_string(i));
    }
    for (int layer = 0; layer < result.cache.layers(); ++layer) {
      const Tensor layer_keys = OnHost(result.cache.keys(layer));
      ASSERT_EQ(layer_keys.dim(1), keys.dim(2));
      ExpectNear(layer_keys, keys, layer * layer_keys.size(), kStateTolerance, input + " keys");
      ExpectNear(OnHost(result.cache.values(layer)), values, layer * layer_keys.size(),
                 kStateTolerance, input + " values");
    }
  }
};

TEST_P(GoldenForward, RopeFrequencies) {
  const Tensor golden = Golden("rope.inv_freq");
  const std::vector<float>& found = model_->decoder->rope().inv_freq;
  ASSERT_EQ(static_cast<int64_t>(found.size()), golden.size());
  for (size_t i = 0; i < found.size(); ++i) {
    EXPECT_NEAR(found[i], golden.f32()[i], 2e-7f * golden.f32()[i]) << i;
  }
}

TEST_P(GoldenForward, ShortPrompt) {
  const PrefillResult result = Run(Ids("short.input_ids"), true);
  ExpectStates(result, "short");
  ExpectNear(result.logits, Golden("short.logits"), 0, kLogitTolerance, "logits");
  const Tensor attentions = Golden("short.attentions");
  for (size_t layer = 0; layer < result.attention.size(); ++layer) {
    const Tensor& weights = result.attention[layer];
    ExpectNear(weights, attentions, static_cast<int64_t>(layer) * weights.size(), kWeightTolerance,
               "attention " + std::to_string(layer));
  }
}

TEST_P(GoldenForward, LongPrompt) {
  const PrefillResult result = Run(Ids("long.input_ids"), false);
  if (golden_->Has("long.hidden_states")) ExpectStates(result, "long");
  const Tensor last = Golden("long.logits_last16");
  ExpectNear(result.logits.Slice(result.logits.dim(0) - 16, 16), last, 0, kLogitTolerance,
             "logits");
}

// Prefill, then 24 greedy steps through the grid attention with everything kept: the way of a
// stream at ratio 0.
TEST_P(GoldenForward, GreedyContinuation) {
  const ModelConfig& config = model_->config;
  for (const std::string input : {"short", "long"}) {
    const std::vector<int32_t> ids = Ids(input + ".input_ids");
    const std::vector<int32_t> golden = Ids(input + ".greedy_tokens");
    PrefillRequest request;
    request.ids = ids;
    request.logits = LogitsWanted::kLast;
    auto prefill = Prefill(*model_, request, *workspace_);
    ASSERT_TRUE(prefill.ok()) << prefill.status();
    Ops& ops = *model_->ops;
    std::vector<int32_t> answer(1);
    ops.Argmax(ops.Upload(prefill->logits), answer);

    const auto steps = static_cast<int64_t>(golden.size());
    const int64_t tokens = prefill->cache.tokens, words = (tokens + 63) / 64;
    const KvCache suffix =
        KvCache::Suffixes(ops, config.layers, 1, config.kv_heads, steps, config.head_dim);
    const Tensor all = AllocateHost(DType::kUInt64, {1, config.kv_heads, words});
    std::fill_n(all.u64(), all.size(), ~uint64_t{0});
    const Tensor keep = ops.Upload(all);
    const std::vector<int32_t> kept(static_cast<size_t>(config.kv_heads),
                                    static_cast<int32_t>(tokens));
    Tensor logits;
    for (int32_t step = 0; step + 1 < steps; ++step) {
      const std::vector<int32_t> zero = {0}, at = {step}, length = {step + 1};
      const std::vector<int32_t> position = {static_cast<int32_t>(tokens) + step};
      workspace_->Resize(1);
      model_->decoder->Embed({&answer.back(), 1}, workspace_->x);
      for (int layer = 0; layer < config.layers; ++layer) {
        model_->decoder->Qkv(layer, position, *workspace_);
        ops.StoreKv(workspace_->k, zero, at, suffix.keys(layer));
        ops.StoreKv(workspace_->v, zero, at, suffix.values(layer));
        const GridAttention grid = {workspace_->q,
                                    prefill->cache.keys(layer),
                                    prefill->cache.values(layer),
                                    tokens,
                                    keep,
                                    kept,
                                    zero,
                                    suffix.keys(layer),
                                    suffix.values(layer),
                                    zero,
                                    length,
                                    {},
                                    {}};
        ops.Grid(grid, workspace_->attention, {});
        model_->decoder->Finish(layer, *workspace_);
      }
      logits = model_->decoder->Logits(workspace_->x, zero, *workspace_);
      answer.push_back(0);
      ops.Argmax(logits, {&answer.back(), 1});
    }
    EXPECT_EQ(answer, golden) << input;
    ExpectNear(OnHost(logits), Golden(input + ".greedy_logits_last"), 0, kLogitTolerance,
               "last logits");
  }
}

INSTANTIATE_TEST_SUITE_P(Models, GoldenForward,
                         testing::Combine(testing::Values("llama3-tiny", "llama3-tiny-bf16",
                                                          "llama-tied", "qwen2-tiny", "qwen3-tiny",
                                                          "mistral-tiny"),
                                          testing::ValuesIn(UsableDevices())),
                         [](const testing::TestParamInfo<GoldenForward::ParamType>& info) {
                           std::string name =
                               std::get<0>(info.param) + "_" + std::get<1>(info.param);
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace kvscope::inference
