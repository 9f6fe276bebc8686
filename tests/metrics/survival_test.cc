#include "services/metrics/survival/survival.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <climits>
#include <random>

#include "tests/metrics/packed_bits.h"

namespace kvscope::metrics {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Optional;

KeepBits Bits(int layers, int kv_heads, int tokens, const std::vector<uint8_t>& bytes) {
  return KeepBits::Make(layers, kv_heads, tokens, bytes).value();
}

std::string MakeError(int layers, int kv_heads, int tokens, const std::vector<uint8_t>& bytes) {
  return std::string(KeepBits::Make(layers, kv_heads, tokens, bytes).status().message());
}

TEST(KeepBits, ReadsBitTOfARowAsBitTModulo8OfItsByte) {
  const std::vector<uint8_t> bytes = {0b00000101, 0b1, 0b10000000, 0b0};
  const KeepBits bits = Bits(1, 2, 9, bytes);
  EXPECT_TRUE(bits.kept(0, 0, 0));
  EXPECT_FALSE(bits.kept(0, 0, 1));
  EXPECT_TRUE(bits.kept(0, 0, 2));
  EXPECT_TRUE(bits.kept(0, 0, 8));
  EXPECT_TRUE(bits.kept(0, 1, 7));
  EXPECT_FALSE(bits.kept(0, 1, 8));
}

TEST(KeepBits, RefusesAWrongLength) {
  EXPECT_THAT(MakeError(2, 1, 8, {1}), HasSubstr("1 bytes were found, but 2 layers"));
  EXPECT_THAT(MakeError(2, 1, 8, {1, 2, 3}), HasSubstr("3 bytes were found"));
  EXPECT_THAT(MakeError(1, 1, 9, {1}), HasSubstr("take 2 bytes a row"));
  EXPECT_THAT(MakeError(1, 1, 8, {}), HasSubstr("0 bytes were found"));
}

TEST(KeepBits, RefusesShapesWithoutContentOrBeyondTheBytes) {
  EXPECT_THAT(MakeError(0, 1, 8, {}), HasSubstr("at least 1"));
  EXPECT_THAT(MakeError(1, -1, 8, {1}), HasSubstr("at least 1"));
  EXPECT_THAT(MakeError(1, 1, 0, {}), HasSubstr("at least 1"));
  EXPECT_THAT(MakeError(INT_MAX, INT_MAX, INT_MAX, {1}), HasSubstr("1 bytes were found"));
}

TEST(KeepBits, RefusesBitsInThePadding) {
  EXPECT_THAT(MakeError(1, 2, 5, {0b11111, 0b100001}),
              HasSubstr("row 1 has bits set beyond its 5"));
  EXPECT_TRUE(KeepBits::Make(1, 2, 5, std::vector<uint8_t>{0b11111, 0b10000}).ok());
}

// Two layers, two heads, five tokens; the second head of layer 1 keeps nothing.
const std::vector<uint8_t>& ByHand() {
  static const auto& bytes = *new std::vector<uint8_t>(PackRows({"11000",  //
                                                                 "10100",  //
                                                                 "00110",  //
                                                                 "00000"}));
  return bytes;
}

TEST(Survival, CountsByHand) {
  const CellSurvival cell(Bits(2, 2, 5, ByHand()));
  const SurvivalMetrics& metrics = cell.metrics();
  EXPECT_EQ(metrics.kept_pairs, 6);
  EXPECT_EQ(metrics.empty_heads, 1);
  EXPECT_DOUBLE_EQ(metrics.kept_ratio, 0.3);
  EXPECT_DOUBLE_EQ(metrics.evicted_share, 0.7);
  EXPECT_DOUBLE_EQ(metrics.eviction_rate, 0.2);  // token 4 alone
  EXPECT_THAT(metrics.evicted_share_layer, ElementsAre(0.6, 0.8));
  EXPECT_THAT(metrics.eviction_rate_layer, ElementsAre(0.4, 0.6));
}

TEST(Survival, GerByHand) {
  const CellSurvival cell(Bits(2, 2, 5, ByHand()));
  const AnswerSurvival answer = cell.Answer(std::vector<int32_t>{3, 4}).value();
  EXPECT_THAT(answer.ger, Optional(0.5));
  EXPECT_THAT(answer.ger_layer, Optional(ElementsAre(1.0, 0.5)));
  EXPECT_THAT(answer.ger_layer_mean, Optional(0.75));
}

TEST(Survival, GerIsNullWithoutASpanAndZeroWhereAllSurvives) {
  const CellSurvival cell(Bits(2, 2, 5, ByHand()));
  const AnswerSurvival none = cell.Answer({}).value();
  EXPECT_EQ(none.ger, std::nullopt);
  EXPECT_EQ(none.ger_layer, std::nullopt);
  EXPECT_EQ(none.ger_layer_mean, std::nullopt);
  EXPECT_THAT(cell.Answer(std::vector<int32_t>{0}).value().ger, Optional(0.0));
}

TEST(Survival, RefusesSpansOutsideTheContextOrOutOfOrder) {
  const CellSurvival cell(Bits(2, 2, 5, ByHand()));
  const auto error = [&cell](const std::vector<int32_t>& span) {
    return std::string(cell.Answer(span).status().message());
  };
  EXPECT_THAT(error({5}), HasSubstr("position 5 lies outside the context of 5 tokens"));
  EXPECT_THAT(error({-1}), HasSubstr("position -1 lies outside"));
  EXPECT_THAT(error({2, 1}), HasSubstr("must ascend"));
  EXPECT_THAT(error({2, 2}), HasSubstr("must ascend"));
}

TEST(Survival, ExtremesAreExact) {
  for (const int tokens : {1, 8, 63, 64, 65, 128, 1000}) {
    const std::vector<uint8_t> none(6 * static_cast<size_t>((tokens + 7) / 8), 0);
    const CellSurvival empty(Bits(3, 2, tokens, none));
    EXPECT_EQ(empty.metrics().eviction_rate, 1.0);
    EXPECT_EQ(empty.metrics().evicted_share, 1.0);
    EXPECT_EQ(empty.metrics().empty_heads, 6);
    EXPECT_THAT(empty.Answer(std::vector<int32_t>{tokens - 1}).value().ger, Optional(1.0));

    const std::vector<uint8_t> all = PackBits(std::vector<uint8_t>(6 * tokens, 1), tokens);
    const CellSurvival full(Bits(3, 2, tokens, all));
    EXPECT_EQ(full.metrics().eviction_rate, 0.0);
    EXPECT_EQ(full.metrics().evicted_share, 0.0);
    EXPECT_EQ(full.metrics().kept_pairs, 6 * tokens);
    EXPECT_THAT(full.Answer(std::vector<int32_t>{tokens - 1}).value().ger, Optional(0.0));
  }
}

// The definitions, one (layer, head, token) at a time.
struct Naive {
  int layers, heads, tokens;
  std::vector<uint8_t> kept;  // [layers, heads, tokens]

  bool EvictedIn(int layer, int token) const {
    for (int h = 0; h < heads; ++h) {
      if (kept[(layer * heads + h) * tokens + token]) return false;
    }
    return true;
  }
  bool EvictedEverywhere(int token) const {
    for (int l = 0; l < layers; ++l) {
      if (!EvictedIn(l, token)) return false;
    }
    return true;
  }
  double Ger(const std::vector<int32_t>& span) const {
    double sum = 0;
    for (const int t : span) sum += EvictedEverywhere(t);
    return sum / static_cast<double>(span.size());
  }
  double GerOfLayer(int layer, const std::vector<int32_t>& span) const {
    double sum = 0;
    for (const int t : span) sum += EvictedIn(layer, t);
    return sum / static_cast<double>(span.size());
  }
};

TEST(Survival, EqualsTheDefinitionOnRandomBits) {
  std::mt19937 random(20);
  const auto below = [&random](int limit) { return static_cast<int>(random() % limit); };
  for (int round = 0; round < 200; ++round) {
    Naive naive{1 + below(4), 1 + below(5), 1 + below(200), {}};
    const int density = below(101);
    int64_t kept_pairs = 0;
    for (int i = 0; i < naive.layers * naive.heads * naive.tokens; ++i) {
      naive.kept.push_back(below(100) < density);
      kept_pairs += naive.kept.back();
    }
    std::vector<int32_t> everything, span;
    for (int t = 0; t < naive.tokens; ++t) {
      everything.push_back(t);
      if (below(4) == 0) span.push_back(t);
    }
    const std::vector<uint8_t> bytes = PackBits(naive.kept, naive.tokens);
    const CellSurvival cell(Bits(naive.layers, naive.heads, naive.tokens, bytes));
    const SurvivalMetrics& metrics = cell.metrics();
    const double pairs = static_cast<double>(naive.kept.size());
    EXPECT_EQ(metrics.kept_pairs, kept_pairs);
    EXPECT_NEAR(metrics.evicted_share, 1 - kept_pairs / pairs, 1e-12);
    EXPECT_NEAR(metrics.kept_ratio, kept_pairs / pairs, 1e-12);
    EXPECT_NEAR(metrics.eviction_rate, naive.Ger(everything), 1e-12);
    const AnswerSurvival answer = cell.Answer(span).value();
    ASSERT_EQ(answer.ger.has_value(), !span.empty());
    if (!span.empty()) {
      EXPECT_NEAR(*answer.ger, naive.Ger(span), 1e-12);
    }
    for (int l = 0; l < naive.layers; ++l) {
      EXPECT_NEAR(metrics.eviction_rate_layer[l], naive.GerOfLayer(l, everything), 1e-12);
      if (!span.empty()) {
        EXPECT_NEAR((*answer.ger_layer)[l], naive.GerOfLayer(l, span), 1e-12);
      }
    }
  }
}

}  // namespace
}  // namespace kvscope::metrics
