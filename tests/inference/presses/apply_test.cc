#include "services/inference/presses/apply.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/inference/scorers/layer_fixture.h"

namespace kvscope::inference {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Press Parsed(std::string_view expression) {
  auto press = ParsePress(expression, 0);
  EXPECT_TRUE(press.ok()) << press.status();
  return *std::move(press);
}

RowMatrix ScoresOf(const Press& press, const LayerView& view) {
  RowMatrix scores(view.kv_heads, view.tokens);
  ScoreLayer(press, view, {scores.data(), scores.rows(), scores.cols()});
  return scores;
}

TEST(ScoreLayer, ScoresSpansAsIfEachWereTheContext) {
  const LayerFixture layer = RandomLayer(30, 2, 2, 4);
  const RowMatrix scores =
      ScoresOf(Parsed("chunk(streaming_llm(n_sink=2), chunk_length=10)"), layer.view());
  for (int begin = 0; begin < 30; begin += 10) {
    EXPECT_THAT(std::vector<float>(scores.row(1).data() + begin, scores.row(1).data() + begin + 10),
                ElementsAre(10, 10, 2, 3, 4, 5, 6, 7, 8, 9));
  }
}

TEST(ScoreLayer, RanksAShortLastSpanByPosition) {
  const LayerFixture layer = RandomLayer(23, 2, 1, 4);
  const Press press = Parsed("chunk(expected_attention, chunk_length=10)");  // sinks 4, last span 3
  const RowMatrix scores = ScoresOf(press, layer.view());
  EXPECT_THAT(std::vector<float>(scores.row(0).data() + 20, scores.row(0).data() + 23),
              ElementsAre(0, -1, -2));

  ScoreTable table(1, 1, 23);
  table.layer(0) = scores;
  const KeepSet kept = Keep(press, table, 0.3);  // int(3 · 0.7) = 2
  EXPECT_TRUE(kept.kept(0, 0, 20));
  EXPECT_TRUE(kept.kept(0, 0, 21));
  EXPECT_FALSE(kept.kept(0, 0, 22));
}

TEST(ScoreLayer, OneSpanIsTheWholeContext) {
  const LayerFixture layer = RandomLayer(20, 4, 2, 4);
  EXPECT_EQ(ScoresOf(Parsed("chunk(expected_attention)"), layer.view()),
            ScoresOf(Parsed("expected_attention"), layer.view()));
}

TEST(CheckTokens, RefusesAContextThatIsTooShort) {
  EXPECT_TRUE(CheckTokens(Parsed("snapkv"), 65).ok());
  EXPECT_EQ(CheckTokens(Parsed("snapkv"), 64).message(),
            "press \"snapkv\" needs a context of at least 65 tokens; found 64");
  EXPECT_THAT(std::string(CheckTokens(Parsed("chunk(expected_attention)"), 4).message()),
              HasSubstr("at least 5 tokens"));
  EXPECT_FALSE(CheckTokens(Parsed("knorm"), 0).ok());
}

TEST(Keep, KeepsEverythingAtZeroAndCutsEveryLayer) {
  ScoreTable table(2, 1, 4);
  table.layer(0) << 1, 2, 3, 4;
  table.layer(1) << 4, 3, 2, 1;
  const Press press = Parsed("knorm");
  EXPECT_EQ(Keep(press, table, 0), KeepSet::Everything(2, 1, 4));
  KeepSet expected(2, 1, 4);
  for (const int token : {2, 3}) expected.Keep(0, 0, token);
  for (const int token : {0, 1}) expected.Keep(1, 0, token);
  EXPECT_EQ(Keep(press, table, 0.5), expected);
}

// kvpress scores 1 or 0 by the ratio and keeps the ones; ties among sinks are ours.
TEST(Keep, StreamingLlmKeepsWhatTheRatioSays) {
  const int tokens = 50, sinks = 4;
  const LayerFixture layer = RandomLayer(tokens, 1, 1, 4);
  const Press press = Parsed("streaming_llm");
  ScoreTable table(1, 1, tokens);
  table.layer(0) = ScoresOf(press, layer.view());
  for (const double ratio : {0.02, 0.1, 0.3, 0.5, 0.9, 0.95, 0.99}) {
    const int count = KeptCount(tokens, ratio), evicted = tokens - count;
    const KeepSet kept = Keep(press, table, ratio);
    for (int token = 0; token < tokens; ++token) {
      const bool expected = token < sinks ? token < count : token >= sinks + evicted;
      EXPECT_EQ(kept.kept(0, 0, token), expected) << token << " at " << ratio;
    }
  }
}

}  // namespace
}  // namespace kvscope::inference
