// Every scorer by hand, and what all scorers of the registry promise.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>
#include <string>
#include <thread>

#include "services/inference/scorers/scorer.h"
#include "tests/inference/scorers/layer_fixture.h"

namespace kvscope::inference {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatEq;
using ::testing::FloatNear;
using ::testing::Not;

// [tokens] rows of zeros.
Rows Zeros(int tokens, int head_dim = 2) { return Rows(tokens, std::vector<float>(head_dim)); }

TEST(Knorm, RanksShortKeysFirst) {
  const LayerFixture layer = MakeLayer({{{3, 4}, {0, 1}, {0, 2}}}, {}, {});  // norms 5, 1, 2
  EXPECT_THAT(Scores("knorm", layer.view()), ElementsAre(ElementsAre(-5, -1, -2)));
}

TEST(StreamingLlm, RanksSinksThenTheMostRecent) {
  const LayerFixture layer = MakeLayer({Zeros(6), Zeros(6)}, {}, {});
  const auto scores = Scores("streaming_llm", layer.view(), {2});
  EXPECT_THAT(scores, ElementsAre(ElementsAre(6, 6, 2, 3, 4, 5), ElementsAre(6, 6, 2, 3, 4, 5)));
}

TEST(StreamingLlm, WithoutSinksIsRecency) {
  const LayerFixture layer = MakeLayer({Zeros(4)}, {}, {});
  EXPECT_THAT(Scores("streaming_llm", layer.view(), {0}), ElementsAre(ElementsAre(0, 1, 2, 3)));
}

TEST(Random, IsTheSameOnEveryMachine) {
  const LayerFixture layer = MakeLayer({Zeros(3), Zeros(3)}, {}, {});
  LayerView view = layer.view();
  view.layer = 2;
  // From the definition in random.cc, in Python's integers.
  EXPECT_THAT(
      Scores("random", view, {7}),
      ElementsAre(ElementsAre(8221757 * 0x1p-24f, 2067428 * 0x1p-24f, 10826887 * 0x1p-24f),
                  ElementsAre(4106017 * 0x1p-24f, 15924673 * 0x1p-24f, 16699448 * 0x1p-24f)));
}

TEST(Random, DrawsAnewForEverySeedLayerAndHead) {
  const LayerFixture layer = MakeLayer({Zeros(50), Zeros(50)}, {}, {});
  LayerView other_layer = layer.view();
  other_layer.layer = 1;
  std::set<std::vector<float>> draws;
  for (const double seed : {0, 1}) {
    for (const LayerView& view : {layer.view(), other_layer}) {
      for (const auto& row : Scores("random", view, {seed})) draws.insert(row);
    }
  }
  EXPECT_EQ(draws.size(), 8u);
}

TEST(Random, IsUniform) {
  const LayerFixture layer = MakeLayer({Zeros(20000)}, {}, {});
  const std::vector<float> draw = Scores("random", layer.view())[0];
  int bins[10] = {};
  for (const float score : draw) {
    ASSERT_GE(score, 0);
    ASSERT_LT(score, 1);
    ++bins[static_cast<int>(score * 10)];
  }
  for (const int count : bins) EXPECT_NEAR(count, 2000, 5 * std::sqrt(2000 * 0.9));
}

TEST(Random, KnowsATokenInASlice) {
  const LayerFixture layer = MakeLayer({Zeros(9)}, {}, {});
  const std::vector<float> whole = Scores("random", layer.view())[0];
  EXPECT_EQ(Scores("random", layer.view().Slice(4, 9))[0],
            std::vector<float>(whole.begin() + 4, whole.end()));
}

TEST(SnapKv, AveragesTheCausalWindow) {
  // Zero keys: every query looks evenly at what it sees. The window's first query sees 3 tokens,
  // its second 4: (1/3 + 1/4) / 2 = 7/24.
  const LayerFixture layer = MakeLayer({Zeros(4)}, {}, {{{1, 2}, {3, 4}, {5, 6}, {7, 8}}});
  EXPECT_THAT(
      Scores("snapkv", layer.view(), {2, 1})[0],
      ElementsAre(FloatEq(7 / 24.f), FloatEq(7 / 24.f), FloatEq(31 / 24.f), FloatEq(31 / 24.f)));
}

TEST(SnapKv, SmoothsWithZerosBeyondTheEnds) {
  const LayerFixture layer = MakeLayer({Zeros(5)}, {}, {Zeros(5)});  // 1/5 for each token
  EXPECT_THAT(Scores("snapkv", layer.view(), {1, 3})[0],
              ElementsAre(FloatEq(2 / 15.f), FloatEq(0.2f), FloatEq(0.2f), FloatEq(2 / 15.f),
                          FloatEq(1.2f)));
}

TEST(SnapKv, ProtectsTheWindowOfAllHeadsAlike) {
  // Head 0 ignores token 0; head 1 sees nothing but it: the layer's largest score is about 1.
  const LayerFixture layer =
      MakeLayer({{{-99, 0}, {0, 0}, {0, 0}}, {{99, 0}, {0, 0}, {0, 0}}}, {},
                {{{0, 0}, {0, 0}, {std::cos(2.f), -std::sin(2.f)}},  // (1, 0) once at position 2
                 {{0, 0}, {0, 0}, {std::cos(2.f), -std::sin(2.f)}}});
  EXPECT_THAT(Scores("snapkv", layer.view(), {1, 1}),
              ElementsAre(ElementsAre(FloatNear(0, 1e-6), FloatEq(0.5f), FloatEq(2)),
                          ElementsAre(FloatEq(1), FloatNear(0, 1e-6), FloatEq(2))));
}

TEST(ExpectedAttention, SharesEvenlyAmongEqualKeys) {
  const LayerFixture layer =
      MakeLayer({Zeros(3)}, {{{9, 9}, {3, 4}, {0, 1}}}, {{{1, 2}, {3, 4}, {5, 6}}});  // n_sink = 1
  // Each of two tokens gets half, times the value's norm; the sink the largest + 1.
  EXPECT_THAT(Scores("expected_attention", layer.view(), {512, 1})[0],
              ElementsAre(FloatEq(3.5f), FloatEq(2.5f), FloatEq(0.5f)));
  EXPECT_THAT(Scores("expected_attention", layer.view(), {512, 1, 1, 1, 0.5})[0],
              ElementsAre(FloatEq(6), FloatEq(5), FloatEq(1)));
  EXPECT_THAT(Scores("expected_attention", layer.view(), {512, 1, 1, 0})[0],
              ElementsAre(FloatEq(1.5f), FloatEq(0.5f), FloatEq(0.5f)));
}

TEST(ExpectedAttention, FollowsTheMeanQuery) {
  // One future position (3, right after the context): the mean query (1, 0), turned there.
  const float c = std::cos(3.f), s = std::sin(3.f), e = std::exp(1 / std::sqrt(2.f));
  const LayerFixture layer = MakeLayer({{{c, s}, {0, 0}, {0, 0}}}, {}, {{{1, 7}, {1, -7}, {1, 0}}});
  EXPECT_THAT(Scores("expected_attention", layer.view(), {1, 0, 0, 0})[0],
              ElementsAre(FloatNear(e / (e + 2), 1e-6), FloatNear(1 / (e + 2), 1e-6),
                          FloatNear(1 / (e + 2), 1e-6)));
}

TEST(ExpectedAttention, CountsTheSpreadOfQueries) {
  // Queries (0, ±2) in equal parts: mean 0, variance 4 along the second axis. At position 4 a unit
  // key along that (turned) axis has k·Σ·k / 2d = 4 / 4.
  const float c = std::cos(4.f), s = std::sin(4.f), e = std::exp(1.f);
  const LayerFixture layer =
      MakeLayer({{{-s, c}, {c, s}, {0, 0}, {0, 0}}}, {}, {{{0, 2}, {0, -2}, {0, 2}, {0, -2}}});
  EXPECT_THAT(Scores("expected_attention", layer.view(), {1, 0, 1, 0})[0],
              ElementsAre(FloatNear(e / (e + 3), 1e-6), FloatNear(1 / (e + 3), 1e-6),
                          FloatNear(1 / (e + 3), 1e-6), FloatNear(1 / (e + 3), 1e-6)));
}

// What every scorer of the registry promises.
class AnyScorer : public ::testing::TestWithParam<const ScorerInfo*> {
 protected:
  static constexpr int kTokens = 97;
  AnyScorer() : layer_(RandomLayer(kTokens, 6, 2, 8)) {}

  // Only what the scorer says it needs.
  LayerView View(const Scorer& scorer) const {
    LayerView view = layer_.view();
    if (!scorer.needs().keys) view.keys_data = nullptr;
    if (!scorer.needs().values) view.values_data = nullptr;
    if (!scorer.needs().queries) view.queries_data = nullptr;
    return view;
  }

  std::unique_ptr<Scorer> Default() const {
    ParameterValues values;
    for (const ParameterInfo& info : GetParam()->parameters) {
      const std::string text(info.default_value);
      values.push_back(text == "true" ? 1 : text.empty() || text == "false" ? 0 : std::stod(text));
    }
    return GetParam()->make(values);
  }

  static RowMatrix ScoreMatrixOf(const Scorer& scorer, const LayerView& view) {
    RowMatrix scores(view.kv_heads, view.tokens);
    scores.setConstant(std::numeric_limits<float>::quiet_NaN());
    scorer.Score(view, {scores.data(), scores.rows(), scores.cols()});
    return scores;
  }

  LayerFixture layer_;
};

TEST_P(AnyScorer, FillsEveryScoreFromWhatItNeeds) {
  const auto scorer = Default();
  EXPECT_TRUE(ScoreMatrixOf(*scorer, View(*scorer)).allFinite());
}

TEST_P(AnyScorer, ScoresTheShortestContextItAccepts) {
  const auto scorer = Default();
  const LayerView view = View(*scorer).Slice(kTokens - scorer->min_tokens(), kTokens);
  EXPECT_TRUE(ScoreMatrixOf(*scorer, view).allFinite());
}

TEST_P(AnyScorer, GivesEqualBitsInEveryThread) {
  const auto scorer = Default();
  const LayerView view = View(*scorer);
  std::vector<RowMatrix> results(3);
  std::vector<std::thread> threads;
  for (RowMatrix& result : results) {
    threads.emplace_back([&] { result = ScoreMatrixOf(*scorer, view); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(results[0], results[1]);
  EXPECT_EQ(results[0], results[2]);
}

TEST_P(AnyScorer, DescribesItself) {
  EXPECT_THAT(std::string(GetParam()->summary), ::testing::EndsWith("."));
  EXPECT_THAT(std::string(GetParam()->source), Not(::testing::IsEmpty()));
  EXPECT_THAT(std::string(GetParam()->kvpress_name), ::testing::EndsWith("Press"));
  for (const ParameterInfo& info : GetParam()->parameters) {
    EXPECT_THAT(std::string(info.summary), ::testing::EndsWith(".")) << info.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Registry, AnyScorer, ::testing::ValuesIn(Scorers()),
                         [](const auto& info) { return std::string(info.param->name); });

}  // namespace
}  // namespace kvscope::inference
