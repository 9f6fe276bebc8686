// Graphs small enough to be worked by hand, drawn from the answer (left) to the query token.
#include "services/metrics/graph/answer_routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "tests/metrics/packed_bits.h"

namespace kvscope::metrics {
namespace {

using ::testing::DoubleEq;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Optional;
using ::testing::SizeIs;

using Layers = std::vector<std::vector<GraphEdge>>;

std::shared_ptr<const QuestionGraph> Graph(const GraphShape& shape, int positions,
                                           const Layers& context, const Layers& suffix) {
  auto shared = ContextGraph::Make(shape, context).value();
  return std::make_shared<const QuestionGraph>(
      QuestionGraph::Make(std::move(shared), positions, suffix).value());
}

AnswerRoutes Answer(std::shared_ptr<const QuestionGraph> graph, std::vector<int32_t> span) {
  return AnswerRoutes::Make(std::move(graph), span).value();
}

// `rows`: one string a (layer, KV head), layer-major.
CellRoutes Measure(const AnswerRoutes& answer, int layers,
                   const std::vector<std::string_view>& rows) {
  const std::vector<uint8_t> bytes = PackRows(rows);
  const int kv_heads = static_cast<int>(rows.size()) / layers;
  const auto tokens = static_cast<int>(rows.front().size());
  return answer.Measure(KeepBits::Make(layers, kv_heads, tokens, bytes).value()).value();
}

// The answer is token 0, the query token 4:
//            head 0      head 0
//         ┌────────► 1 ────────┐
//    0 ───┤                    ├──► 4
//         └────────► 2 ────────┘
//            head 1      head 1
//           layer 0     layer 1
AnswerRoutes Diamond() {
  return Answer(Graph({.layers = 2, .q_heads = 2, .tokens = 4}, 5, {{{0, 1, 0}, {1, 2, 0}}, {}},
                      {{}, {{0, 4, 1}, {1, 4, 2}}}),
                {0});
}

TEST(AnswerRoutes, ADiamondHasTwoRoutes) {
  const AnswerRoutes answer = Diamond();
  const GraphRoutes& routes = answer.uncompressed();
  EXPECT_TRUE(routes.reached);
  EXPECT_EQ(routes.reachable_tokens, 3);  // 0, 1 and 2; nobody looks at 3
  EXPECT_THAT(routes.reached_per_level, ElementsAre(1, 3, 4));
  EXPECT_EQ(routes.direct_routes, 0);
  EXPECT_EQ(routes.disjoint_routes, 2);
  EXPECT_THAT(routes.shortest, Optional(2));
  EXPECT_THAT(answer.routes(),
              ElementsAre(ElementsAre(RouteEdge{0, 0, 1, 0}, RouteEdge{1, 0, 4, 1}),
                          ElementsAre(RouteEdge{0, 1, 2, 0}, RouteEdge{1, 1, 4, 2})));
  EXPECT_EQ(routes.routes_alive, 2);
  EXPECT_THAT(routes.reach_bound, Optional(1.0));
}

TEST(AnswerRoutes, ACutInTheQuestionsRowCountsInBothGraphs) {
  const CellRoutes cell = Measure(Diamond(), 2, {"1111", "1111", "1011", "1111"});
  for (const GraphRoutes& routes : {cell.as_defined, cell.as_computed}) {
    EXPECT_TRUE(routes.reached);
    EXPECT_EQ(routes.reachable_tokens, 2);  // 0 and 2
    EXPECT_EQ(routes.disjoint_routes, 1);
    EXPECT_THAT(routes.shortest, Optional(2));
    EXPECT_THAT(routes.reached_per_level, ElementsAre(1, 3, 4));
    EXPECT_EQ(routes.routes_alive, 1);
    // The upper route runs through a head that kept 3 of 4 tokens, so 1 - (1/4)^2.
    EXPECT_THAT(routes.route_survival, Optional(DoubleEq(0.75)));
    EXPECT_THAT(routes.reach_bound, Optional(DoubleEq(0.9375)));
  }
}

TEST(AnswerRoutes, ACutInAContextRowIsSeenAsDefinedAlone) {
  // Token 0 is gone in layer 0: but rows 1 and 2 had read it before it was evicted.
  const CellRoutes cell = Measure(Diamond(), 2, {"0111", "0111", "1111", "1111"});
  EXPECT_FALSE(cell.as_defined.reached);
  EXPECT_EQ(cell.as_defined.reachable_tokens, 2);  // 1 and 2
  EXPECT_EQ(cell.as_defined.disjoint_routes, 0);
  EXPECT_EQ(cell.as_defined.shortest, std::nullopt);
  EXPECT_THAT(cell.as_defined.reached_per_level, ElementsAre(1, 1, 1));
  EXPECT_EQ(cell.as_defined.routes_alive, 0);
  EXPECT_THAT(cell.as_defined.reach_bound, Optional(DoubleEq(0.9375)));  // the forecast misses

  EXPECT_TRUE(cell.as_computed.reached);
  EXPECT_EQ(cell.as_computed.disjoint_routes, 2);
  EXPECT_EQ(cell.as_computed.routes_alive, 2);
  EXPECT_THAT(cell.as_computed.reach_bound, Optional(1.0));  // no edge of its rows was in danger
}

TEST(AnswerRoutes, ACellThatKeepsEverythingEqualsTheUncompressedGraph) {
  const AnswerRoutes answer = Diamond();
  const CellRoutes cell = Measure(answer, 2, {"1111", "1111", "1111", "1111"});
  EXPECT_EQ(cell.as_defined, answer.uncompressed());
  EXPECT_EQ(cell.as_computed, answer.uncompressed());
}

TEST(AnswerRoutes, NothingKeptLeavesNoRouteInEitherGraph) {
  const CellRoutes cell = Measure(Diamond(), 2, {"0000", "0000", "0000", "0000"});
  for (const GraphRoutes& routes : {cell.as_defined, cell.as_computed}) {
    EXPECT_FALSE(routes.reached);
    EXPECT_EQ(routes.reachable_tokens, 0);
    EXPECT_EQ(routes.disjoint_routes, 0);
    EXPECT_THAT(routes.reach_bound, Optional(0.0));
  }
}

TEST(AnswerRoutes, AHeadOfARowCarriesOneRouteWhateverItLooksAt) {
  // As the diamond, but one head of the query token looks at both 1 and 2.
  const AnswerRoutes answer =
      Answer(Graph({.layers = 2, .q_heads = 2, .tokens = 4}, 5, {{{0, 1, 0}, {1, 2, 0}}, {}},
                   {{}, {{0, 4, 1}, {0, 4, 2}}}),
             {0});
  EXPECT_EQ(answer.uncompressed().disjoint_routes, 1);
}

TEST(AnswerRoutes, APathMayStayAtItsPosition) {
  // Four layers, of which only the second and the last have an edge: 0 ► 0 ─► 2 ► 2 ─► 3.
  const AnswerRoutes answer = Answer(Graph({.layers = 4, .q_heads = 1, .tokens = 3}, 4,
                                           {{}, {{0, 2, 0}}, {}, {}}, {{}, {}, {}, {{0, 3, 2}}}),
                                     {0});
  EXPECT_THAT(answer.uncompressed().reached_per_level, ElementsAre(1, 1, 2, 2, 3));
  EXPECT_THAT(answer.uncompressed().shortest, Optional(2));
  EXPECT_EQ(answer.uncompressed().disjoint_routes, 1);
  // Evicted in layers that nobody reads it in: nothing is lost.
  EXPECT_TRUE(Measure(answer, 4, {"000", "100", "000", "001"}).as_defined.reached);
  EXPECT_FALSE(Measure(answer, 4, {"111", "111", "111", "110"}).as_computed.reached);
}

TEST(AnswerRoutes, StayingAloneLeadsNowhere) {
  // Row 2 reads token 0 in the layer after the query token has read row 2: no path goes back.
  const AnswerRoutes answer = Answer(
      Graph({.layers = 2, .q_heads = 1, .tokens = 3}, 4, {{}, {{0, 2, 0}}}, {{{0, 3, 2}}, {}}),
      {0});
  EXPECT_FALSE(answer.uncompressed().reached);
  EXPECT_EQ(answer.uncompressed().reachable_tokens, 1);  // token 2
  EXPECT_THAT(answer.uncompressed().reached_per_level, ElementsAre(1, 1, 2));
  EXPECT_EQ(answer.uncompressed().shortest, std::nullopt);
  EXPECT_THAT(answer.routes(), IsEmpty());
  const CellRoutes cell = Measure(answer, 2, {"110", "111"});
  EXPECT_EQ(cell.as_defined.route_survival, std::nullopt);  // no route to survive
  EXPECT_EQ(cell.as_defined.reach_bound, std::nullopt);
}

TEST(AnswerRoutes, CountsDirectRoutesByLayerAndHead) {
  // Heads 0 and 1 share KV head 0. The query token, 5, looks at the answer {1, 2} itself.
  const AnswerRoutes answer =
      Answer(Graph({.layers = 2, .q_heads = 4, .tokens = 4}, 6, Layers(2),
                   {{{0, 5, 1}, {0, 5, 2}, {1, 5, 1}, {3, 5, 0}}, {{2, 5, 2}, {3, 4, 1}}}),
             {1, 2});
  EXPECT_EQ(answer.uncompressed().direct_routes, 3);  // (0, 0), (0, 1), (1, 2)
  EXPECT_EQ(answer.uncompressed().disjoint_routes, 3);
  EXPECT_THAT(answer.uncompressed().shortest, Optional(1));
  EXPECT_EQ(answer.uncompressed().reachable_tokens, 3);  // 0, 1, 2
  // Token 1 leaves KV head 0 of layer 0: head 1 loses it, head 0 has token 2 left.
  const CellRoutes cell = Measure(answer, 2, {"1011", "1111", "1111", "1111"});
  EXPECT_EQ(cell.as_defined.direct_routes, 2);
  EXPECT_EQ(cell.as_computed.direct_routes, 2);
}

TEST(AnswerRoutes, QuestionTokensAreNeverEvicted) {
  // The question's first token, 2, reads the answer; the query token, 3, reads the former.
  const AnswerRoutes answer = Answer(
      Graph({.layers = 2, .q_heads = 1, .tokens = 2}, 4, Layers(2), {{{0, 2, 0}}, {{0, 3, 2}}}),
      {0});
  const CellRoutes cell = Measure(answer, 2, {"10", "00"});
  EXPECT_TRUE(cell.as_defined.reached);
  EXPECT_THAT(cell.as_defined.route_survival, Optional(DoubleEq(0.5)));  // the first edge's alone
  EXPECT_FALSE(Measure(answer, 2, {"01", "11"}).as_computed.reached);
}

TEST(AnswerRoutes, ARouteGivesWayToAnother) {
  // Head 0 of the query token, 4, could read 1 or 2, head 1 only 1, and each of 1 and 2 was fed by
  // one head: two routes exist only if head 0 takes 2.
  const AnswerRoutes answer =
      Answer(Graph({.layers = 2, .q_heads = 2, .tokens = 4}, 5, {{{0, 1, 0}, {0, 2, 0}}, {}},
                   {{}, {{0, 4, 1}, {0, 4, 2}, {1, 4, 1}}}),
             {0});
  EXPECT_EQ(answer.uncompressed().disjoint_routes, 2);
  EXPECT_THAT(answer.routes(), SizeIs(2));
}

// Where the conditions of Prop. 1 hold, its bound is the frequency: `heads` routes, each through a
// KV head of its own that keeps 3 of 10 tokens at random.
TEST(AnswerRoutes, TheBoundIsTheFrequencyWhereRoutesSurviveIndependently) {
  constexpr int kHeads = 4, kTokens = 10, kRounds = 4000;
  Layers suffix(1);
  for (int head = 0; head < kHeads; ++head) suffix[0].push_back({head, kTokens, 6});
  const AnswerRoutes answer = Answer(
      Graph({.layers = 1, .q_heads = kHeads, .tokens = kTokens}, kTokens + 1, Layers(1), suffix),
      {6});
  std::mt19937 random(3);
  int reached = 0;
  for (int round = 0; round < kRounds; ++round) {
    std::vector<std::string> rows(kHeads, "1110000000");
    for (std::string& row : rows) std::shuffle(row.begin(), row.end(), random);
    const CellRoutes cell = Measure(answer, 1, {rows.begin(), rows.end()});
    EXPECT_THAT(cell.as_defined.reach_bound, Optional(DoubleEq(1 - std::pow(0.7, kHeads))));
    reached += cell.as_defined.reached;
  }
  const double bound = 1 - std::pow(0.7, kHeads);
  const double sigma = std::sqrt(bound * (1 - bound) / kRounds);
  EXPECT_NEAR(static_cast<double>(reached) / kRounds, bound, 4 * sigma);
}

TEST(ReachBound, ByHand) {
  EXPECT_THAT(ReachBound(1, 0.25), Optional(DoubleEq(0.25)));
  EXPECT_THAT(ReachBound(3, 0.5), Optional(DoubleEq(0.875)));
  EXPECT_THAT(ReachBound(2, 0), Optional(0.0));
  EXPECT_THAT(ReachBound(2, 1), Optional(1.0));
  EXPECT_EQ(ReachBound(0, 0.5), std::nullopt);
  EXPECT_EQ(ReachBound(2, 1.5), std::nullopt);
  EXPECT_EQ(ReachBound(2, std::nan("")), std::nullopt);
}

TEST(AnswerRoutes, RefusesWhatDoesNotFit) {
  const auto graph = Graph({.layers = 1, .q_heads = 4, .tokens = 4}, 5, Layers(1), Layers(1));
  const auto error = [&graph](const std::vector<int32_t>& span) {
    return std::string(AnswerRoutes::Make(graph, span).status().message());
  };
  EXPECT_THAT(error({}), HasSubstr("answer span: no position was found"));
  EXPECT_THAT(error({4}), HasSubstr("position 4 lies outside the context of 4 tokens"));
  EXPECT_THAT(error({-1}), HasSubstr("position -1"));
  EXPECT_THAT(error({2, 2}), HasSubstr("position 2 follows 2"));

  const AnswerRoutes answer = Answer(graph, {0});
  const auto misfit = [&answer](int layers, int kv_heads, int tokens) {
    const std::vector<uint8_t> bytes(layers * kv_heads * ((tokens + 7) / 8));
    const auto keep = KeepBits::Make(layers, kv_heads, tokens, bytes).value();
    return std::string(answer.Measure(keep).status().message());
  };
  EXPECT_THAT(misfit(2, 1, 4), HasSubstr("keep bits of 2 layers and 4 tokens"));
  EXPECT_THAT(misfit(1, 1, 5), HasSubstr("the graph has 1 layers and 4 tokens"));
  EXPECT_THAT(misfit(1, 3, 4), HasSubstr("3 KV heads"));
  EXPECT_THAT(misfit(1, 8, 4), HasSubstr("do not divide the graph's 4 query heads"));
  EXPECT_EQ(misfit(1, 4, 4), "");
}

}  // namespace
}  // namespace kvscope::metrics
