#include "services/metrics/graph/disjoint_routes.h"

#include <algorithm>
#include <tuple>

namespace kvscope::metrics {

DisjointRoutes::DisjointRoutes(const QuestionGraph& graph, const SeenPairs& seen,
                               const LevelSets& reached, std::span<const PositionWord> answer,
                               std::span<const Route* const> known)
    : graph_(graph),
      seen_(seen),
      reached_(reached),
      answer_(answer),
      positions_(graph.positions()),
      carrier_of_(graph.gate_count(), -1),
      first_at_key_(static_cast<size_t>(graph.layers()) * positions_, -1),
      staying_(first_at_key_.size()),
      visited_(graph.layers(), positions_),
      visits_(first_at_key_.size()) {
  for (const Route* route : known) Adopt(*route);
  count_ = static_cast<int>(known.size());
  const AttentionRows& rows = graph.suffix();
  const int query = graph.query_token();
  for (int layer = 0; layer < graph.layers(); ++layer) {
    const auto [begin, end] = rows.gates(layer, query);
    for (int32_t gate = begin; gate < end; ++gate) {
      if (carrier_of_[GateId(query, gate)] >= 0) continue;
      count_ += Augment(layer, gate, rows.head(gate));
    }
  }
}

void DisjointRoutes::Adopt(const Route& route) {
  int32_t arrived = graph_.layers();  // where the route came to the edge's key; the answer is there
  for (const RouteEdge& edge : route) {
    for (int32_t level = arrived; level < edge.layer; ++level) ++staying_[Node(level, edge.key)];
    const AttentionRows& rows = graph_.RowsOf(edge.query);
    int32_t gate = rows.gates(edge.layer, edge.query).begin;
    while (rows.head(gate) != edge.head) ++gate;
    Feed(GateId(edge.query, gate), edge);
    arrived = edge.layer + 1;
  }
}

int32_t DisjointRoutes::GateId(int query, int32_t gate) const {
  return query < graph_.tokens() ? gate : graph_.context().gate_count() + gate;
}

// One more route that ends in a gate of the query token, if there is one.
bool DisjointRoutes::Augment(int layer, int32_t gate, int head) {
  frontier_.clear();
  const int query = graph_.query_token();
  bool found = Look(layer, query, gate, {-1, Step::kThroughGate, GateId(query, gate), head});
  for (size_t next = 0; !found && next < frontier_.size(); ++next) found = Expand(frontier_[next]);
  if (!found) return false;  // what was visited stays marked: nothing feeds it, now or later
  for (const int32_t node : frontier_) {
    visited_.level(node / positions_)[node % positions_ / kWordPositions] &=
        ~BitOf(node % positions_);
  }
  return true;
}

// Looks for one more unit for `node`; true if the answer brings it.
bool DisjointRoutes::Expand(int32_t node) {
  const int level = node / positions_, position = node % positions_;
  if (level > 0) {
    const AttentionRows& rows = graph_.RowsOf(position);
    const auto [begin, end] = rows.gates(level - 1, position);
    for (int32_t gate = begin; gate < end; ++gate) {
      const int32_t id = GateId(position, gate);
      if (carrier_of_[id] >= 0) continue;
      const Visit visit = {node, Step::kThroughGate, id, rows.head(gate)};
      if (Look(level - 1, position, gate, visit)) return true;
    }
  }
  if (staying_[node] > 0) Reach(node + positions_, {node, Step::kStayLess, -1, -1});
  for (int32_t at = first_at_key_[node]; at >= 0; at = carriers_[at].next_at_key) {
    const RouteEdge edge = carriers_[at].edge;
    const int32_t id = carriers_[at].gate;
    const int32_t gate = id - GateId(edge.query, 0);
    if (Look(level, edge.query, gate, {node, Step::kRefeed, id, edge.head})) return true;
    if (edge.query == graph_.query_token()) continue;  // its unit has arrived
    Reach(Node(level + 1, edge.query), {node, Step::kRelease, id, edge.head});
  }
  return false;
}

// Visits what a gate looks at; where that is the answer, adds the route and returns true.
bool DisjointRoutes::Look(int layer, int query, int32_t gate, const Visit& visit) {
  const PositionWord* const seen = seen_.Row(layer, visit.head, query >= graph_.tokens());
  const std::span<const AttentionRows::Keys> keys = graph_.RowsOf(query).keys(gate);
  for (const auto [index, mask] : keys) {
    const PositionWord hit = mask & seen[index] & answer_[index];
    if (hit == 0) continue;
    const int key = static_cast<int>(index) * kWordPositions + std::countr_zero(hit);
    visits_[Node(layer, key)] = visit;
    Apply(Node(layer, key));
    return true;
  }
  const std::span<const PositionWord> reached = reached_.level(layer);
  for (const auto [index, mask] : keys) {
    const PositionWord open =
        mask & seen[index] & reached[index] & ~std::as_const(visited_).level(layer)[index];
    ForEach(index, open, [&](int key) { Reach(Node(layer, key), visit); });
  }
  return false;
}

// Visits a node and the levels below it, which residual edges join.
void DisjointRoutes::Reach(int32_t node, const Visit& visit) {
  Visit how = visit;
  const int position = node % positions_;
  for (int level = node / positions_; level >= 0; --level, node -= positions_) {
    const std::span<PositionWord> visited = visited_.level(level);
    if (Contains(visited, position) || !Contains(reached_.level(level), position)) return;
    Insert(visited, position);
    visits_[node] = how;
    frontier_.push_back(node);
    how = {node, Step::kStay, -1, -1};
  }
}

// Adds the route that a search found, walked from the answer's `node` to the query token.
void DisjointRoutes::Apply(int32_t node) {
  while (node >= 0) {
    const Visit& visit = visits_[node];
    const int level = node / positions_, position = node % positions_;
    switch (visit.step) {
      case Step::kThroughGate: {
        const int query = visit.from < 0 ? graph_.query_token() : visit.from % positions_;
        Feed(visit.gate, {level, visit.head, query, position});
        break;
      }
      case Step::kStay:
        ++staying_[node];
        break;
      case Step::kStayLess:
        --staying_[visit.from];
        break;
      case Step::kRefeed: {
        RouteEdge edge = Unfeed(visit.gate);
        edge.key = position;
        Feed(visit.gate, edge);
        break;
      }
      case Step::kRelease:
        Unfeed(visit.gate);
        break;
    }
    node = visit.from;
  }
}

void DisjointRoutes::Feed(int32_t gate, const RouteEdge& edge) {
  int32_t& first = first_at_key_[Node(edge.layer, edge.key)];
  carrier_of_[gate] = static_cast<int32_t>(carriers_.size());
  carriers_.push_back({gate, edge, first});
  first = carrier_of_[gate];
}

RouteEdge DisjointRoutes::Unfeed(int32_t gate) {
  const Carrier& carrier = carriers_[carrier_of_[gate]];
  int32_t* link = &first_at_key_[Node(carrier.edge.layer, carrier.edge.key)];
  while (*link != carrier_of_[gate]) link = &carriers_[*link].next_at_key;
  *link = carrier.next_at_key;
  carrier_of_[gate] = -1;
  return carrier.edge;
}

std::vector<Route> DisjointRoutes::Routes() const {
  // The carriers by the node that they feed, so that a route is followed down from the query token.
  std::vector<RouteEdge> feeds;
  for (size_t at = 0; at < carriers_.size(); ++at) {
    if (carrier_of_[carriers_[at].gate] == static_cast<int32_t>(at)) {
      feeds.push_back(carriers_[at].edge);
    }
  }
  const auto order = [](const RouteEdge& edge) {
    return std::tuple(edge.query, edge.layer, edge.head);
  };
  std::sort(feeds.begin(), feeds.end(),
            [&](const RouteEdge& a, const RouteEdge& b) { return order(a) < order(b); });
  std::vector<bool> used(feeds.size());
  std::vector<Route> routes;
  for (const RouteEdge& last : feeds) {
    if (last.query != graph_.query_token()) continue;
    Route route = {last};
    while (!Contains(answer_, route.back().key)) {
      // Of those that arrive in time the latest, which serves the fewest others.
      const int key = route.back().key, layer = route.back().layer;
      auto at = std::lower_bound(
          feeds.begin(), feeds.end(), std::tuple(key, layer, -1),
          [&](const RouteEdge& edge, const auto& bound) { return order(edge) < bound; });
      do {
        --at;
      } while (used[at - feeds.begin()]);
      used[at - feeds.begin()] = true;
      route.push_back(*at);
    }
    std::reverse(route.begin(), route.end());
    routes.push_back(std::move(route));
  }
  return routes;
}

}  // namespace kvscope::metrics
