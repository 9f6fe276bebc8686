// Decoding gives the same whatever the size of its steps and waves.
#include "services/inference/engine/decode.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "services/inference/engine/score.h"
#include "services/inference/engine/survival.h"
#include "services/inference/models/load.h"
#include "services/inference/ops/backends.h"

namespace kvscope::inference {
namespace {

using ::testing::Each;
using ::testing::FloatNear;
using ::testing::IsEmpty;
using ::testing::Pointwise;
using ::testing::SizeIs;

constexpr int kContextTokens = 70;

// Three questions of different length through two keep sets of a context of 70 tokens.
class Decode : public ::testing::Test {
 protected:
  void SetUp() override {
    SetComputeThreads(1);  // tiny products: more threads only wait for each other
    auto loaded = LoadModel(KVSCOPE_SOURCE_DIR "/tests/golden/models/llama-tied", "cpu", "float32");
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    model_ = *std::move(loaded);
    workspace_ = std::make_unique<Workspace>(*model_->ops, model_->config);
    std::vector<int32_t> context(kContextTokens);
    std::iota(context.begin(), context.end(), 100);
    context_ = *PrefillAndScore(*model_, context, nullptr, *workspace_);
    const ModelConfig& config = model_->config;
    sets_ = {KeepSet::Everything(config.layers, config.kv_heads, kContextTokens),
             KeepSet(config.layers, config.kv_heads, kContextTokens)};
    for (int layer = 0; layer < config.layers; ++layer) {
      for (int head = 0; head < config.kv_heads; ++head) {
        for (int t = head; t < kContextTokens; t += 3) sets_[1].Keep(layer, head, t);
      }
    }
    spans_ = TokenBits(std::vector<int32_t>{3, 4, 65}, sets_[0].words());
    for (size_t set = 0; set < sets_.size(); ++set) {
      for (const std::vector<int32_t>& suffix : suffixes_) {
        streams_.push_back({.set = set, .suffix = suffix, .span = 0});
      }
    }
    batch_.sets = sets_;
    batch_.streams = streams_;
    batch_.spans = spans_;
    batch_.max_new_tokens = 5;
    batch_.with_logits = true;
    batch_.pool = ProbePool::kMean;
    batch_.probe_layers = probed_;
  }

  std::vector<DecodedStream> Run() {
    auto decoded = DecodeStreams(*model_->decoder, context_, batch_, *workspace_);
    EXPECT_TRUE(decoded.ok()) << decoded.status();
    return *std::move(decoded);
  }

  std::unique_ptr<LoadedModel> model_;
  std::unique_ptr<Workspace> workspace_;
  KvCache context_;
  std::vector<KeepSet> sets_;
  std::vector<uint64_t> spans_;
  const std::vector<std::vector<int32_t>> suffixes_ = {
      {7}, {8, 9, 10, 11, 12}, {13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23}};
  const std::vector<int> probed_ = {0, 2, 4};  // of 4 layers: embeddings, one between, the last
  std::vector<Stream> streams_;
  StreamBatch batch_;
};

TEST_F(Decode, StepsAndWavesOfAnySizeGiveTheSame) {
  const std::vector<DecodedStream> expected = Run();
  ASSERT_THAT(expected, SizeIs(6));
  for (const auto& [max_rows, max_suffix_bytes] :
       {std::pair<size_t, int64_t>(1, 1 << 30), {4, 1 << 30}, {5, 1}, {2048, 1}, {3, 50000}}) {
    SCOPED_TRACE(std::to_string(max_rows) + " rows, " + std::to_string(max_suffix_bytes));
    batch_.slices.max_rows = max_rows;
    batch_.slices.max_suffix_bytes = max_suffix_bytes;
    const std::vector<DecodedStream> decoded = Run();
    for (size_t s = 0; s < expected.size(); ++s) {
      EXPECT_EQ(decoded[s].tokens, expected[s].tokens);
      EXPECT_THAT(decoded[s].logits, Pointwise(FloatNear(1e-3f), expected[s].logits));
      EXPECT_THAT(decoded[s].pooled, SizeIs(3u * model_->config.hidden_size));
      EXPECT_THAT(decoded[s].pooled, Pointwise(FloatNear(1e-4f), expected[s].pooled));
      ASSERT_THAT(decoded[s].rows, SizeIs(5));
      for (size_t row = 0; row < 5; ++row) {
        EXPECT_EQ(decoded[s].rows[row].top_tokens, expected[s].rows[row].top_tokens);
        EXPECT_THAT(decoded[s].rows[row].answer_mass,
                    Pointwise(FloatNear(1e-4f), expected[s].rows[row].answer_mass));
      }
    }
  }
}

TEST_F(Decode, SharedPrefixesChangeNothing) {
  const std::vector<std::vector<int32_t>> questions = {
      {30, 31, 32, 33}, {30, 31, 40}, {30, 31, 32, 33, 34, 35}, {30, 31, 40}, {50, 51}};
  streams_.clear();
  for (size_t set = 0; set < sets_.size(); ++set) {
    for (const auto& question : questions) {
      streams_.push_back({.set = set, .suffix = question, .span = 0});
    }
  }
  for (const size_t max_rows : {size_t{2048}, size_t{3}}) {
    batch_.streams = streams_;
    batch_.slices.max_rows = max_rows;
    const std::vector<DecodedStream> together = Run();
    for (size_t s = 0; s < streams_.size(); ++s) {
      batch_.streams = std::span(streams_).subspan(s, 1);
      const std::vector<DecodedStream> alone = Run();
      EXPECT_EQ(together[s].tokens, alone[0].tokens) << s;
      EXPECT_THAT(together[s].logits, Pointwise(FloatNear(1e-4), alone[0].logits)) << s;
      EXPECT_THAT(together[s].pooled, Pointwise(FloatNear(1e-4), alone[0].pooled)) << s;
      ASSERT_EQ(together[s].rows.size(), alone[0].rows.size());
      for (size_t row = 0; row < alone[0].rows.size(); ++row) {
        EXPECT_THAT(together[s].rows[row].answer_mass,
                    Pointwise(FloatNear(1e-5), alone[0].rows[row].answer_mass));
      }
    }
  }
}

// One question through keep sets that lack ever more, in waves of one, so that the full run's
// answer is there when the others begin. It is theirs too, at first, or not at all.
TEST_F(Decode, DraftsChangeNothingButTheNumberOfSteps) {
  const ModelConfig& config = model_->config;
  sets_ = {KeepSet::Everything(config.layers, config.kv_heads, kContextTokens)};
  for (int lacking = 0; lacking < kContextTokens; lacking += 6) {
    KeepSet& set = sets_.emplace_back(config.layers, config.kv_heads, kContextTokens);
    for (int layer = 0; layer < config.layers; ++layer) {
      for (int head = 0; head < config.kv_heads; ++head) {
        for (int t = lacking; t < kContextTokens; ++t) set.Keep(layer, head, t);
      }
    }
  }
  streams_.clear();
  for (size_t set = 0; set < sets_.size(); ++set) {
    streams_.push_back({.set = set, .suffix = suffixes_[2], .span = 0});
  }
  batch_.sets = sets_;
  batch_.streams = streams_;
  batch_.max_new_tokens = 9;
  batch_.slices.max_suffix_bytes = 1;
  size_t steps = 0;
  batch_.cancelled = [&] {  // asked before every step
    ++steps;
    return false;
  };
  std::vector<size_t> ended;
  batch_.stream_ended = [&](size_t stream) { ended.push_back(stream); };
  const std::vector<DecodedStream> plain = Run();
  EXPECT_EQ(steps, 9 * streams_.size());
  // Steps of a stream whose draft agrees with its first `common` tokens: one of `rows` tokens where
  // all guesses are right, up to the first wrong one else.
  const auto common = [&](size_t s) {
    const auto differ =
        std::mismatch(plain[s].tokens.begin(), plain[s].tokens.end(), plain[0].tokens.begin());
    return differ.first - plain[s].tokens.begin();
  };
  std::vector<ptrdiff_t> agreeing;
  for (size_t s = 1; s < streams_.size(); ++s) agreeing.push_back(common(s));
  EXPECT_THAT(agreeing, testing::Contains(9)) << "a draft that is right";
  EXPECT_THAT(agreeing, testing::Contains(testing::AllOf(testing::Gt(0), testing::Lt(8))))
      << "a guess that is wrong";

  for (Stream& stream : std::span(streams_).subspan(1)) stream.draft = 0;
  for (const int32_t end : {-1, plain[0].tokens[5]}) {
    SCOPED_TRACE(end);
    batch_.end_tokens = std::span(&end, 1);
    batch_.draft_rows = 1;
    ended.clear();
    steps = 0;
    const std::vector<DecodedStream> expected = Run();
    const std::vector<size_t> expected_ended = ended;
    const size_t expected_steps = steps;
    EXPECT_THAT(expected_ended, SizeIs(streams_.size()));
    for (const size_t draft_rows : {2, 4, 8}) {
      batch_.draft_rows = draft_rows;
      ended.clear();
      steps = 0;
      const std::vector<DecodedStream> decoded = Run();
      EXPECT_LT(steps, expected_steps) << draft_rows;
      EXPECT_EQ(ended, expected_ended);
      for (size_t s = 0; s < expected.size(); ++s) {
        EXPECT_EQ(decoded[s].tokens, expected[s].tokens) << s;
        EXPECT_EQ(decoded[s].ended, expected[s].ended) << s;
        EXPECT_THAT(decoded[s].logits, Pointwise(FloatNear(1e-3f), expected[s].logits)) << s;
        EXPECT_THAT(decoded[s].pooled, Pointwise(FloatNear(1e-4f), expected[s].pooled)) << s;
        ASSERT_EQ(decoded[s].rows.size(), expected[s].rows.size()) << s;
        for (size_t row = 0; row < expected[s].rows.size(); ++row) {
          EXPECT_EQ(decoded[s].rows[row].top_tokens, expected[s].rows[row].top_tokens);
          EXPECT_THAT(decoded[s].rows[row].answer_mass,
                      Pointwise(FloatNear(1e-4f), expected[s].rows[row].answer_mass));
        }
      }
    }
  }
  // A right draft of nine tokens: the question's step takes one, the next one the other eight.
  batch_.end_tokens = {};
  batch_.draft_rows = 8;
  const size_t right =
      1 + static_cast<size_t>(std::find(agreeing.begin(), agreeing.end(), 9) - agreeing.begin());
  const std::vector<Stream> two = {streams_[0], streams_[right]};
  batch_.streams = two;
  steps = 0;
  Run();
  EXPECT_EQ(steps, 9u + 2u);
}

TEST_F(Decode, PoolingChangesNothingElse) {
  batch_.pool = ProbePool::kNone;
  const std::vector<DecodedStream> plain = Run();
  for (const ProbePool pool : {ProbePool::kLast, ProbePool::kMean, ProbePool::kContext}) {
    batch_.pool = pool;
    const std::vector<DecodedStream> pooled = Run();
    for (size_t s = 0; s < plain.size(); ++s) {
      EXPECT_THAT(plain[s].pooled, IsEmpty());
      EXPECT_EQ(pooled[s].pooled.empty(), pool == ProbePool::kContext);
      EXPECT_EQ(pooled[s].tokens, plain[s].tokens);
      EXPECT_EQ(pooled[s].logits, plain[s].logits);
      EXPECT_EQ(pooled[s].rows.front().answer_mass, plain[s].rows.front().answer_mass);
    }
  }
}

// With one answer token both pools are of the last prompt token, whatever comes after it.
TEST_F(Decode, TheLastPromptTokensStatesDoNotDependOnTheAnswer) {
  batch_.max_new_tokens = 1;
  const std::vector<DecodedStream> mean = Run();
  batch_.pool = ProbePool::kLast;
  for (const int answer : {1, 5}) {
    batch_.max_new_tokens = answer;
    for (const size_t max_rows : {1, 4, 2048}) {
      batch_.slices.max_rows = max_rows;
      const std::vector<DecodedStream> last = Run();
      for (size_t s = 0; s < last.size(); ++s) {
        EXPECT_THAT(last[s].pooled, Pointwise(FloatNear(1e-4f), mean[s].pooled));
      }
    }
  }
  EXPECT_NE(mean[0].pooled, mean[3].pooled) << "keep sets matter";
}

TEST_F(Decode, KeepSetsMatter) {
  const std::vector<DecodedStream> decoded = Run();
  for (size_t q = 0; q < 3; ++q) EXPECT_NE(decoded[q].logits, decoded[q + 3].logits);
}

TEST_F(Decode, AStreamEndsAfterAnEndToken) {
  const std::vector<DecodedStream> all = Run();
  const int32_t end = all[1].tokens[2];
  batch_.end_tokens = std::span(&end, 1);
  std::vector<size_t> ended;
  batch_.stream_ended = [&](size_t stream) { ended.push_back(stream); };
  const std::vector<DecodedStream> decoded = Run();
  for (size_t s = 0; s < all.size(); ++s) {
    const auto at = std::find(all[s].tokens.begin(), all[s].tokens.end(), end);
    const bool found = at != all[s].tokens.end();
    EXPECT_EQ(decoded[s].ended, found);
    EXPECT_EQ(decoded[s].tokens, std::vector<int32_t>(all[s].tokens.begin(), found ? at + 1 : at));
    EXPECT_THAT(decoded[s].rows, SizeIs(decoded[s].tokens.size()));
  }
  EXPECT_TRUE(decoded[1].ended);
  std::sort(ended.begin(), ended.end());
  EXPECT_EQ(ended, (std::vector<size_t>{0, 1, 2, 3, 4, 5}));
}

TEST_F(Decode, OnlyStreamsWithASpanAreWatched) {
  streams_[2].span = -1;
  const std::vector<DecodedStream> decoded = Run();
  EXPECT_THAT(decoded[2].rows, IsEmpty());
  EXPECT_THAT(decoded[1].rows, SizeIs(5));
}

TEST_F(Decode, AnEmptySpanHasNoMass) {
  spans_.assign(spans_.size(), 0);
  for (const DecodedStream& stream : Run()) EXPECT_THAT(stream.rows[0].answer_mass, Each(0));
}

TEST_F(Decode, StopsWhenCancelled) {
  batch_.cancelled = [] { return true; };
  EXPECT_EQ(DecodeStreams(*model_->decoder, context_, batch_, *workspace_).status().code(),
            absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace kvscope::inference
