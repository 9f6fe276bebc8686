// The definitions of tests/golden/metrics/reference_metrics.py in plain loops over edge lists: what
// the graph of services/metrics/graph must equal.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "services/metrics/graph/disjoint_routes.h"
#include "services/metrics/graph/seen_pairs.h"
#include "services/metrics/graph/token_graph.h"

namespace kvscope::metrics {

struct NaiveGraph {
  GraphShape shape;
  int kv_heads = 1;
  int positions = 0;                           // K
  std::vector<std::vector<GraphEdge>> layers;  // all rows
  std::vector<uint8_t> kept;                   // [layers, kv_heads, T], 0 or 1
  std::vector<int32_t> span;

  bool Kept(int layer, int head, int token) const;
  // Whether the edge is there after the cut.
  bool Alive(const RouteEdge& edge, CutRows cut) const;
  std::vector<RouteEdge> AliveEdges(CutRows cut) const;
  std::shared_ptr<const QuestionGraph> Build() const;
};

// [layers + 1] positions reached from the span.
std::vector<int> NaiveReachedPerLevel(const NaiveGraph& graph, CutRows cut);
bool NaiveReached(const NaiveGraph& graph, CutRows cut);
// Context tokens that, as a span of their own, reach the query token.
int NaiveReachableTokens(const NaiveGraph& graph, CutRows cut);
int NaiveDirectRoutes(const NaiveGraph& graph, CutRows cut);
// Augmenting paths over explicit nodes, gates and arcs.
int NaiveDisjointRoutes(const NaiveGraph& graph, CutRows cut);
std::optional<int> NaiveShortest(const NaiveGraph& graph, CutRows cut);

}  // namespace kvscope::metrics
