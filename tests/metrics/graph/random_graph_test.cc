// Random graphs against the definitions in plain loops.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>
#include <tuple>

#include "services/metrics/graph/answer_routes.h"
#include "tests/metrics/graph/naive_routes.h"
#include "tests/metrics/packed_bits.h"

namespace kvscope::metrics {
namespace {

using Random = std::mt19937;

int Between(Random& random, int low, int high) {
  return low + static_cast<int>(random() % (high - low + 1));
}

NaiveGraph MakeRandom(Random& random) {
  NaiveGraph graph;
  graph.kv_heads = Between(random, 1, 2);
  graph.shape = {.layers = Between(random, 1, 6),
                 .q_heads = graph.kv_heads * Between(random, 1, 3),
                 .tokens = Between(random, 1, random() % 4 == 0 ? 80 : 12)};
  graph.positions = graph.shape.tokens + Between(random, 1, 5);
  // From a few edges a layer to several a row.
  const int edges = Between(random, 0, graph.positions * Between(random, 1, 10) / 2);
  for (int layer = 0; layer < graph.shape.layers; ++layer) {
    std::vector<GraphEdge>& list = graph.layers.emplace_back();
    for (int i = 0; i < edges; ++i) {
      const int query =
          random() % 8 == 0 ? graph.positions - 1 : Between(random, 0, graph.positions - 1);
      list.push_back(
          {Between(random, 0, graph.shape.q_heads - 1), query, Between(random, 0, query)});
    }
  }
  const int begin = Between(random, 0, (graph.shape.tokens - 1) / 2);
  for (int i = begin; i <= begin + 2 && i < graph.shape.tokens; ++i) graph.span.push_back(i);
  const int keep_percent = Between(random, 0, 100);
  const bool answer_evicted = random() % 4 == 0;  // what only the rows of the context have read
  for (int i = 0; i < graph.shape.layers * graph.kv_heads * graph.shape.tokens; ++i) {
    const int token = i % graph.shape.tokens;
    const bool evicted = answer_evicted && token >= begin && token <= begin + 2;
    graph.kept.push_back(!evicted && Between(random, 0, 99) < keep_percent);
  }
  return graph;
}

void CheckCut(const NaiveGraph& graph, CutRows cut, const GraphRoutes& routes) {
  EXPECT_EQ(routes.reached, NaiveReached(graph, cut));
  EXPECT_EQ(routes.reachable_tokens, NaiveReachableTokens(graph, cut));
  EXPECT_EQ(routes.reached_per_level, NaiveReachedPerLevel(graph, cut));
  EXPECT_EQ(routes.direct_routes, NaiveDirectRoutes(graph, cut));
  EXPECT_EQ(routes.disjoint_routes, NaiveDisjointRoutes(graph, cut));
  EXPECT_EQ(routes.shortest, NaiveShortest(graph, cut));
}

// The routes are paths of the graph from the answer to the query token that share no gate.
void CheckRoutes(const NaiveGraph& graph, const std::vector<Route>& routes) {
  std::set<std::tuple<int, int, int>> gates;
  for (const Route& route : routes) {
    ASSERT_FALSE(route.empty());
    EXPECT_THAT(graph.span, testing::Contains(route.front().key));
    EXPECT_EQ(route.back().query, graph.positions - 1);
    for (size_t i = 0; i < route.size(); ++i) {
      const RouteEdge& edge = route[i];
      const std::vector<GraphEdge>& layer = graph.layers[edge.layer];
      EXPECT_TRUE(std::any_of(layer.begin(), layer.end(), [&edge](const GraphEdge& some) {
        return some.head == edge.head && some.query == edge.query && some.key == edge.key;
      }));
      EXPECT_TRUE(gates.insert({edge.layer, edge.head, edge.query}).second);
      if (i == 0) continue;
      EXPECT_EQ(edge.key, route[i - 1].query);
      EXPECT_GT(edge.layer, route[i - 1].layer);
    }
  }
}

// Prop. 1 about these routes, spelled out.
void CheckSurvival(const NaiveGraph& graph, CutRows cut, const std::vector<Route>& routes,
                   const GraphRoutes& found) {
  int alive = 0;
  double smallest = 1;
  for (const Route& route : routes) {
    alive += std::all_of(route.begin(), route.end(),
                         [&](const RouteEdge& edge) { return graph.Alive(edge, cut); });
    double survival = 1;
    for (const RouteEdge& edge : route) {
      if (edge.key >= graph.shape.tokens) continue;
      if (cut == CutRows::kSuffix && edge.query < graph.shape.tokens) continue;
      int kept = 0;
      for (int t = 0; t < graph.shape.tokens; ++t) kept += graph.Kept(edge.layer, edge.head, t);
      survival *= static_cast<double>(kept) / graph.shape.tokens;
    }
    smallest = std::min(smallest, survival);
  }
  EXPECT_EQ(found.routes_alive, alive);
  EXPECT_LE(found.routes_alive, found.disjoint_routes);  // they are still disjoint
  ASSERT_EQ(found.route_survival.has_value(), !routes.empty());
  ASSERT_EQ(found.reach_bound.has_value(), !routes.empty());
  if (routes.empty()) return;
  EXPECT_DOUBLE_EQ(*found.route_survival, smallest);
  double all_lost = 1;
  for (size_t i = 0; i < routes.size(); ++i) all_lost *= 1 - smallest;
  EXPECT_NEAR(*found.reach_bound, 1 - all_lost, 1e-12);
}

TEST(RandomGraph, EqualsTheDefinitions) {
  Random random(11);
  int reached = 0, only_computed = 0, many_routes = 0;
  for (int round = 0; round < 1500 && !testing::Test::HasFailure(); ++round) {
    SCOPED_TRACE(round);
    const NaiveGraph graph = MakeRandom(random);
    const AnswerRoutes answer = AnswerRoutes::Make(graph.Build(), graph.span).value();
    CheckCut(graph, CutRows::kNone, answer.uncompressed());
    EXPECT_EQ(static_cast<int>(answer.routes().size()), answer.uncompressed().disjoint_routes);
    CheckRoutes(graph, answer.routes());

    const std::vector<uint8_t> bytes = PackBits(graph.kept, graph.shape.tokens);
    const CellRoutes cell =
        answer
            .Measure(KeepBits::Make(graph.shape.layers, graph.kv_heads, graph.shape.tokens, bytes)
                         .value())
            .value();
    CheckCut(graph, CutRows::kAll, cell.as_defined);
    CheckSurvival(graph, CutRows::kAll, answer.routes(), cell.as_defined);
    CheckCut(graph, CutRows::kSuffix, cell.as_computed);
    CheckSurvival(graph, CutRows::kSuffix, answer.routes(), cell.as_computed);

    reached += cell.as_defined.reached;
    only_computed += cell.as_computed.reached && !cell.as_defined.reached;
    many_routes += cell.as_defined.disjoint_routes > 3;
  }
  // The graphs are neither all connected nor all torn.
  EXPECT_GT(reached, 300);
  EXPECT_LT(reached, 1200);
  EXPECT_GT(only_computed, 50);
  EXPECT_GT(many_routes, 50);
}

TEST(RandomGraph, MeasuresEqualKeepSetsEqually) {
  Random random(12);
  for (int round = 0; round < 50; ++round) {
    const NaiveGraph graph = MakeRandom(random);
    const AnswerRoutes answer = AnswerRoutes::Make(graph.Build(), graph.span).value();
    const std::vector<uint8_t> bytes = PackBits(graph.kept, graph.shape.tokens);
    const KeepBits keep =
        KeepBits::Make(graph.shape.layers, graph.kv_heads, graph.shape.tokens, bytes).value();
    const CellRoutes first = answer.Measure(keep).value(), again = answer.Measure(keep).value();
    EXPECT_EQ(first.as_defined, again.as_defined);
    EXPECT_EQ(first.as_computed, again.as_computed);
  }
}

// A context of 32,768 tokens: memory follows the edges, and the numbers still hold.
TEST(RandomGraph, ALongContext) {
  Random random(13);
  NaiveGraph graph;
  graph.shape = {.layers = 3, .q_heads = 4, .tokens = 32768};
  graph.kv_heads = 2;
  graph.positions = graph.shape.tokens + 20;
  int64_t edges = 0;
  for (int layer = 0; layer < graph.shape.layers; ++layer) {
    std::vector<GraphEdge>& list = graph.layers.emplace_back();
    for (int query = 0; query < graph.positions; ++query) {
      for (int head = 0; head < graph.shape.q_heads; ++head) {
        list.push_back({head, query, Between(random, 0, query)});
        list.push_back({head, query, Between(random, query / 2, query)});
      }
    }
    edges += static_cast<int64_t>(list.size());
  }
  const int pairs = graph.shape.layers * graph.kv_heads * graph.shape.tokens;
  for (int i = 0; i < pairs; ++i) graph.kept.push_back(random() % 2);
  for (int t = 5; t < 25; ++t) graph.span.push_back(t);

  const auto built = graph.Build();
  const int64_t rows = int64_t{graph.shape.layers} * graph.shape.tokens;
  EXPECT_LE(built->context().bytes(), 16 * edges + 4 * rows + 64);
  const AnswerRoutes answer = AnswerRoutes::Make(built, graph.span).value();
  EXPECT_EQ(answer.uncompressed().reached_per_level, NaiveReachedPerLevel(graph, CutRows::kNone));
  const std::vector<uint8_t> bytes = PackBits(graph.kept, graph.shape.tokens);
  const CellRoutes cell =
      answer.Measure(KeepBits::Make(3, 2, graph.shape.tokens, bytes).value()).value();
  for (const auto& [cut, routes] :
       {std::pair{CutRows::kAll, cell.as_defined}, std::pair{CutRows::kSuffix, cell.as_computed}}) {
    EXPECT_EQ(routes.reached_per_level, NaiveReachedPerLevel(graph, cut));
    EXPECT_EQ(routes.shortest, NaiveShortest(graph, cut));
    EXPECT_EQ(routes.direct_routes, NaiveDirectRoutes(graph, cut));
  }
}

}  // namespace
}  // namespace kvscope::metrics
