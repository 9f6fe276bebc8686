#include "services/inference/engine/prefill.h"

#include <chrono>
#include <cmath>
#include <filesystem>
#include <memory>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/inference/checkpoint/safetensors.h"
#include "services/inference/models/load.h"
#include "tests/inference/ops/devices.h"

namespace kvscope::inference {
namespace {

using testing::HasSubstr;

const std::filesystem::path kGolden = std::filesystem::path(KVSCOPE_SOURCE_DIR) / "tests/golden";

class PrefillTest : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    auto model = LoadModel(kGolden / "models" / "llama3-tiny", GetParam(), "float32");
    ASSERT_TRUE(model.ok()) << model.status();
    model_ = *std::move(model);
    workspace_ = std::make_unique<Workspace>(*model_->ops, model_->config);
  }

  std::string Refusal(const std::vector<int32_t>& ids) {
    PrefillRequest request;
    request.ids = ids;
    const auto result = Prefill(*model_, request, *workspace_);
    EXPECT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(result.status().message());
  }

  std::unique_ptr<LoadedModel> model_;
  std::unique_ptr<Workspace> workspace_;
};

TEST_P(PrefillTest, RefusesPromptsThatTheModelCannotRead) {
  EXPECT_THAT(Refusal({}), HasSubstr("no tokens"));
  EXPECT_THAT(Refusal({1, -1}), HasSubstr("token 1 of the prompt has the id -1"));
  EXPECT_THAT(Refusal({512}), HasSubstr("the model's ids are 0 to 511"));
  EXPECT_THAT(Refusal(std::vector<int32_t>(131073, 1)), HasSubstr("131073 tokens"));
}

// A query before RoPE, rotated by hand, meets the keys of its layer: the last row's softmax must be
// the golden attention weights. So queries, keys and RoPE parameters of the view belong together.
TEST_P(PrefillTest, ShowsEveryLayerToTheSink) {
  auto golden = SafetensorsFile::Open(kGolden / "forward/llama3-tiny.safetensors");
  ASSERT_TRUE(golden.ok());
  const Tensor stored_ids = *golden->Get("short.input_ids"),
               attentions = *golden->Get("short.attentions");
  const auto* data = static_cast<const int64_t*>(stored_ids.data());
  const std::vector<int32_t> ids(data, data + stored_ids.size());
  const int tokens = static_cast<int>(ids.size());
  int next_layer = 0;
  PrefillRequest request;
  request.ids = ids;
  request.needs = {.keys = true, .queries = true};
  request.sink = [&](const LayerView& view) {
    ASSERT_EQ(view.layer, next_layer++);
    ASSERT_EQ(view.layers, 3);
    ASSERT_EQ(view.tokens, tokens);
    ASSERT_EQ(view.sequence_tokens, tokens);
    ASSERT_EQ(view.values_data, nullptr) << "not asked for";
    const int half = view.head_dim / 2;
    for (int head = 0; head < view.q_heads; ++head) {
      std::vector<double> query(static_cast<size_t>(view.head_dim)), scores;
      const float* raw = view.queries_data + ((tokens - 1) * view.q_heads + head) * view.head_dim;
      for (int i = 0; i < half; ++i) {
        const double angle = (tokens - 1) * double{view.rope->inv_freq[static_cast<size_t>(i)]};
        query[static_cast<size_t>(i)] = raw[i] * std::cos(angle) - raw[i + half] * std::sin(angle);
        query[static_cast<size_t>(i + half)] =
            raw[i + half] * std::cos(angle) + raw[i] * std::sin(angle);
      }
      double sum = 0;
      for (int t = 0; t < tokens; ++t) {
        const float* key =
            view.keys_data + (head / view.group() * view.capacity + t) * view.head_dim;
        const double dot = std::inner_product(query.begin(), query.end(), key, 0.0);
        scores.push_back(std::exp(dot / std::sqrt(view.head_dim)));
        sum += scores.back();
      }
      const int64_t row = ((int64_t{view.layer} * view.q_heads + head) * tokens + tokens - 1);
      for (int t = 0; t < tokens; ++t) {
        ASSERT_NEAR(scores[static_cast<size_t>(t)] / sum, attentions.f32()[row * tokens + t], 1e-4)
            << "layer " << view.layer << " head " << head << " token " << t;
      }
    }
  };
  const auto result = Prefill(*model_, request, *workspace_);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(next_layer, 3);
  EXPECT_EQ(result->cache.tokens, tokens);
  EXPECT_TRUE(result->logits.empty());
  EXPECT_TRUE(result->hidden.empty());
}

// More than a block, so that threads share the work.
TEST_P(PrefillTest, RepeatsItselfBitForBit) {
  std::vector<int32_t> ids;
  for (int t = 0; t < Workspace::kPieceRows + 30; ++t) ids.push_back(t * 31 % 512);
  std::vector<float> logits[2];
  for (int i = 0; i < 2; ++i) {
    PrefillRequest request;
    request.ids = ids;
    request.logits = LogitsWanted::kLast;
    const auto result = Prefill(*model_, request, *workspace_);
    ASSERT_TRUE(result.ok()) << result.status();
    logits[i].assign(result->logits.f32(), result->logits.f32() + result->logits.size());
  }
  EXPECT_EQ(logits[0].size(), 512u);
  EXPECT_EQ(logits[0], logits[1]);
}

TEST_P(PrefillTest, StopsWhenCancelled) {
  const std::vector<int32_t> ids = {3, 1, 4, 1, 5};
  int asked = 0, shown = 0;
  PrefillRequest request;
  request.ids = ids;
  request.sink = [&](const LayerView&) { ++shown; };
  request.cancelled = [&] { return ++asked == 3; };  // before the third layer
  EXPECT_EQ(Prefill(*model_, request, *workspace_).status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(shown, 2);
}

// The last row alone goes through the end of the last layer if nothing else is asked for.
TEST_P(PrefillTest, TheLastRowsLogitsAreThoseOfAllRows) {
  std::vector<int32_t> ids;
  for (int t = 0; t < Workspace::kPieceRows + 30; ++t) ids.push_back(t * 31 % 512);
  std::vector<float> logits[2];
  for (const bool all : {false, true}) {
    PrefillRequest request;
    request.ids = ids;
    request.logits = all ? LogitsWanted::kAll : LogitsWanted::kLast;
    const auto result = Prefill(*model_, request, *workspace_);
    ASSERT_TRUE(result.ok()) << result.status();
    ASSERT_EQ(result->logits.size(), (all ? static_cast<int64_t>(ids.size()) : 1) * 512);
    const float* end = result->logits.f32() + result->logits.size();
    logits[all].assign(end - 512, end);
  }
  EXPECT_THAT(logits[0], testing::Pointwise(testing::FloatNear(1e-4f), logits[1]));
}

// A prompt longer than a block passes in several; where attention is asked for it passes at once.
// Both show the sink the same queries and keys and give the same logits.
TEST_P(PrefillTest, BlocksEqualTheWhole) {
  const int tokens = static_cast<int>(Workspace::kPieceRows) + 70;
  std::vector<int32_t> ids;
  for (int t = 0; t < tokens; ++t) ids.push_back(t * 37 % 512);
  std::vector<float> queries[2], keys[2], logits[2];  // queries and keys of all layers
  for (const bool whole : {false, true}) {
    PrefillRequest request;
    request.ids = ids;
    request.needs = {.keys = true, .queries = true};
    request.sink = [&](const LayerView& view) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));  // the next layer is under way
      const auto append = [&](std::vector<float>& to, const float* from, int heads) {
        to.insert(to.end(), from, from + tokens * heads * view.head_dim);
      };
      append(queries[whole], view.queries_data, view.q_heads);
      append(keys[whole], view.keys_data, view.kv_heads);
    };
    request.logits = LogitsWanted::kLast;
    request.attention = whole;
    const auto result = Prefill(*model_, request, *workspace_);
    ASSERT_TRUE(result.ok()) << result.status();
    logits[whole].assign(result->logits.f32(), result->logits.f32() + result->logits.size());
  }
  using testing::FloatNear;
  using testing::Pointwise;
  EXPECT_THAT(queries[0], Pointwise(FloatNear(1e-4f), queries[1]));
  EXPECT_THAT(keys[0], Pointwise(FloatNear(1e-4f), keys[1]));
  EXPECT_THAT(logits[0], Pointwise(FloatNear(1e-4f), logits[1]));
}

INSTANTIATE_TEST_SUITE_P(Devices, PrefillTest, testing::ValuesIn(UsableDevices()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace kvscope::inference
