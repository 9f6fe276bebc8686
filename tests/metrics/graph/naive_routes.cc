#include "tests/metrics/graph/naive_routes.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <tuple>

namespace kvscope::metrics {

bool NaiveGraph::Kept(int layer, int head, int token) const {
  const int kv_head = head / (shape.q_heads / kv_heads);
  return kept[(static_cast<size_t>(layer) * kv_heads + kv_head) * shape.tokens + token] != 0;
}

bool NaiveGraph::Alive(const RouteEdge& edge, CutRows cut) const {
  if (cut == CutRows::kNone || edge.key >= shape.tokens) return true;
  if (Kept(edge.layer, edge.head, edge.key)) return true;
  if (edge.query >= shape.tokens) return false;
  return cut == CutRows::kSuffix || edge.key == edge.query;
}

std::vector<RouteEdge> NaiveGraph::AliveEdges(CutRows cut) const {
  std::vector<RouteEdge> alive;
  for (int layer = 0; layer < shape.layers; ++layer) {
    for (const GraphEdge& edge : layers[layer]) {
      const RouteEdge route = {layer, edge.head, edge.query, edge.key};
      if (Alive(route, cut)) alive.push_back(route);
    }
  }
  return alive;
}

std::shared_ptr<const QuestionGraph> NaiveGraph::Build() const {
  std::vector<std::vector<GraphEdge>> context(shape.layers), suffix(shape.layers);
  for (int layer = 0; layer < shape.layers; ++layer) {
    for (const GraphEdge& edge : layers[layer]) {
      (edge.query < shape.tokens ? context : suffix)[layer].push_back(edge);
    }
  }
  auto shared = ContextGraph::Make(shape, context).value();
  return std::make_shared<const QuestionGraph>(
      QuestionGraph::Make(std::move(shared), positions, suffix).value());
}

namespace {

constexpr int kFar = 1 << 20;

// [layers + 1][positions] fewest attention edges from `span` at level 0; kFar = not reached.
std::vector<std::vector<int>> Distances(const NaiveGraph& graph, CutRows cut,
                                        const std::vector<int32_t>& span) {
  const std::vector<RouteEdge> edges = graph.AliveEdges(cut);
  std::vector<std::vector<int>> far(graph.shape.layers + 1, std::vector(graph.positions, kFar));
  for (const int32_t position : span) far[0][position] = 0;
  for (int layer = 0; layer < graph.shape.layers; ++layer) {
    far[layer + 1] = far[layer];
    for (const RouteEdge& edge : edges) {
      if (edge.layer != layer) continue;
      int& at = far[layer + 1][edge.query];
      at = std::min(at, far[layer][edge.key] + 1);
    }
  }
  return far;
}

}  // namespace

std::vector<int> NaiveReachedPerLevel(const NaiveGraph& graph, CutRows cut) {
  std::vector<int> counts;
  for (const std::vector<int>& level : Distances(graph, cut, graph.span)) {
    counts.push_back(static_cast<int>(
        std::count_if(level.begin(), level.end(), [](int edges) { return edges < kFar; })));
  }
  return counts;
}

std::optional<int> NaiveShortest(const NaiveGraph& graph, CutRows cut) {
  const int edges = Distances(graph, cut, graph.span).back().back();
  return edges < kFar ? std::optional(edges) : std::nullopt;
}

bool NaiveReached(const NaiveGraph& graph, CutRows cut) {
  return NaiveShortest(graph, cut).has_value();
}

int NaiveReachableTokens(const NaiveGraph& graph, CutRows cut) {
  int count = 0;
  for (int32_t token = 0; token < graph.shape.tokens; ++token) {
    count += Distances(graph, cut, {token}).back().back() < kFar;
  }
  return count;
}

int NaiveDirectRoutes(const NaiveGraph& graph, CutRows cut) {
  std::set<std::pair<int, int>> heads;
  for (const RouteEdge& edge : graph.AliveEdges(cut)) {
    const bool from_answer = std::count(graph.span.begin(), graph.span.end(), edge.key) > 0;
    if (edge.query == graph.positions - 1 && from_answer) heads.insert({edge.layer, edge.head});
  }
  return static_cast<int>(heads.size());
}

int NaiveDisjointRoutes(const NaiveGraph& graph, CutRows cut) {
  // Vertices: source, nodes (level, position), and in and out of the gates (layer, head, query).
  std::map<std::tuple<int, int, int, int>, int> numbers;
  std::vector<std::map<int, int>> capacity;  // [vertex] residual capacity by neighbour
  const auto number = [&](int kind, int level, int position, int head) {
    const auto [at, added] =
        numbers.insert({{kind, level, position, head}, static_cast<int>(numbers.size())});
    if (added) capacity.emplace_back();
    return at->second;
  };
  const auto join = [&](int from, int to, int units) {
    capacity[from][to] = units;
    capacity[to].insert({from, 0});
  };
  const int source = number(0, 0, 0, 0);
  const int sink = number(1, graph.shape.layers, graph.positions - 1, 0);
  for (const int32_t position : graph.span) join(source, number(1, 0, position, 0), kFar);
  for (int level = 0; level < graph.shape.layers; ++level) {
    for (int p = 0; p < graph.positions; ++p) {
      join(number(1, level, p, 0), number(1, level + 1, p, 0), kFar);
    }
  }
  for (const RouteEdge& edge : graph.AliveEdges(cut)) {
    const int in = number(2, edge.layer, edge.query, edge.head);
    const int out = number(3, edge.layer, edge.query, edge.head);
    join(number(1, edge.layer, edge.key, 0), in, kFar);
    join(in, out, 1);
    join(out, number(1, edge.layer + 1, edge.query, 0), kFar);
  }
  std::vector<bool> visited;
  const std::function<bool(int)> augment = [&](int vertex) {
    if (vertex == sink) return true;
    visited[vertex] = true;
    for (auto& [next, units] : capacity[vertex]) {
      if (units == 0 || visited[next] || !augment(next)) continue;
      --units;
      ++capacity[next][vertex];
      return true;
    }
    return false;
  };
  int flow = 0;
  do {
    visited.assign(capacity.size(), false);
  } while (augment(source) && ++flow < kFar);
  return flow;
}

}  // namespace kvscope::metrics
