// Pooled hidden states against transformers' hidden_states, and against one forward over context,
// question and answer.
#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/inference/engine/decode.h"
#include "services/inference/engine/prefill.h"
#include "services/inference/engine/score.h"
#include "tests/inference/engine/golden_model.h"

namespace kvscope::inference {
namespace {

using testing::FloatNear;
using testing::Pointwise;
using testing::SizeIs;

constexpr float kTolerance = 5e-4f;  // the golden data's, of hidden states in float32

class ProbeGolden : public GoldenModelTest {
 protected:
  void SetUp() override {
    GoldenModelTest::SetUp();
    if (HasFatalFailure()) return;
    for (int i = 0; i <= model_->config.layers; ++i) all_layers_.push_back(i);
  }

  // The mean of rows [begin, end) of golden hidden states, of each layer.
  std::vector<float> GoldenMeans(const std::string& input, int64_t begin, int64_t end,
                                 std::span<const int> layers) const {
    const Tensor states = *golden_->Get(input + ".hidden_states");
    const int64_t tokens = states.dim(1), width = states.dim(2);
    std::vector<float> means;
    for (const int layer : layers) {
      for (int64_t i = 0; i < width; ++i) {
        double sum = 0;
        for (int64_t t = begin; t < end; ++t) {
          sum += states.f32()[(layer * tokens + t) * width + i];
        }
        means.push_back(static_cast<float>(sum / static_cast<double>(end - begin)));
      }
    }
    return means;
  }

  std::vector<float> ContextMeans(std::span<const int32_t> ids, std::span<const int> layers) {
    ContextCapture capture = {.graph = nullptr, .mean_layers = layers};
    const auto cache = PrefillAndScore(*model_, ids, nullptr, *workspace_, {}, &capture);
    EXPECT_TRUE(cache.ok()) << cache.status();
    return capture.means;
  }

  // One stream through the whole cache of `context`.
  DecodedStream Ask(std::span<const int32_t> context, std::span<const int32_t> suffix, int answer,
                    ProbePool pool, std::span<const int> layers) {
    const KvCache cache = *PrefillAndScore(*model_, context, nullptr, *workspace_);
    const std::vector<KeepSet> sets = {KeepSet::Everything(
        model_->config.layers, model_->config.kv_heads, static_cast<int>(context.size()))};
    const std::vector<Stream> streams = {{.set = 0, .suffix = suffix}};
    StreamBatch batch;
    batch.sets = sets;
    batch.streams = streams;
    batch.max_new_tokens = answer;
    batch.pool = pool;
    batch.probe_layers = layers;
    auto decoded = DecodeStreams(*model_->decoder, cache, batch, *workspace_);
    EXPECT_TRUE(decoded.ok()) << decoded.status();
    return std::move(decoded->front());
  }

  std::vector<int> all_layers_;
};

TEST_P(ProbeGolden, ContextIsTheMeanOverItsTokens) {
  for (const std::string input : {"short", "long"}) {
    const std::vector<int32_t> ids = Ids(input + ".input_ids");
    const auto tokens = static_cast<int64_t>(ids.size());
    const std::vector<std::vector<int>> choices = {all_layers_, {0}, {1}, {all_layers_.back()}};
    for (const std::vector<int>& layers : choices) {
      EXPECT_THAT(ContextMeans(ids, layers),
                  Pointwise(FloatNear(kTolerance), GoldenMeans(input, 0, tokens, layers)));
    }
  }
}

TEST_P(ProbeGolden, LastIsTheLastPromptTokens) {
  const std::vector<int32_t> ids = Ids("short.input_ids");
  const std::span<const int32_t> all = ids;
  for (const std::vector<int>& layers : {all_layers_, {1}}) {
    const std::vector<float> golden = GoldenMeans("short", 63, 64, layers);
    for (const size_t suffix : {1, 12}) {
      for (const int answer : {1, 5}) {
        const DecodedStream stream =
            Ask(all.first(64 - suffix), all.last(suffix), answer, ProbePool::kLast, layers);
        EXPECT_THAT(stream.tokens, SizeIs(static_cast<size_t>(answer)));
        EXPECT_THAT(stream.pooled, Pointwise(FloatNear(kTolerance), golden));
      }
    }
  }
}

TEST_P(ProbeGolden, MeanIsOverTheRowsThatGaveTheAnswer) {
  const std::vector<int32_t> ids = Ids("short.input_ids");
  const std::vector<int32_t> answer = Ids("short.greedy_tokens");
  std::vector<int32_t> whole = ids;
  whole.insert(whole.end(), answer.begin(), answer.end());
  PrefillRequest request;
  request.ids = whole;
  request.hidden = true;
  const auto forward = Prefill(*model_, request, *workspace_);
  ASSERT_TRUE(forward.ok()) << forward.status();

  const std::span<const int32_t> all = ids;
  const int64_t width = model_->config.hidden_size;
  for (const int count : {1, 2, 24}) {
    const DecodedStream stream =
        Ask(all.first(52), all.last(12), count, ProbePool::kMean, all_layers_);
    ASSERT_EQ(stream.tokens, std::vector<int32_t>(answer.begin(), answer.begin() + count));
    std::vector<float> expected;
    for (const Tensor& states : forward->hidden) {
      for (int64_t i = 0; i < width; ++i) {
        double sum = 0;
        for (int64_t t = 63; t < 63 + count; ++t) sum += states.f32()[t * width + i];
        expected.push_back(static_cast<float>(sum / count));
      }
    }
    EXPECT_THAT(stream.pooled, Pointwise(FloatNear(kTolerance), expected)) << count;
  }
}

INSTANTIATE_TEST_SUITE_P(Models, ProbeGolden,
                         testing::Combine(testing::Values("llama3-tiny", "llama-tied", "qwen2-tiny",
                                                          "qwen3-tiny", "mistral-tiny"),
                                          testing::ValuesIn(UsableDevices())),
                         [](const testing::TestParamInfo<ProbeGolden::ParamType>& info) {
                           std::string name =
                               std::get<0>(info.param) + "_" + std::get<1>(info.param);
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace kvscope::inference
