// The largest number of head-disjoint routes from an answer to the query token.
// A gate (layer, query head, row) carries at most one route, whatever the number of tokens it looks
// at: a head's output at a row is one vector.  Residual edges carry any number.  The number is
// therefore the smallest number of head outputs whose loss cuts the answer off.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "services/metrics/graph/position_sets.h"
#include "services/metrics/graph/seen_pairs.h"
#include "services/metrics/graph/token_graph.h"

namespace kvscope::metrics {

// An attention edge (layer, key) -> (layer + 1, query) of a query head.
struct RouteEdge {
  int32_t layer = 0;
  int32_t head = 0;
  int32_t query = 0;
  int32_t key = 0;

  friend bool operator==(const RouteEdge&, const RouteEdge&) = default;
};

// The attention edges of one route, from the answer's token up to the query token; between two of
// them the route stays at its position.
using Route = std::vector<RouteEdge>;

// A maximum flow by augmenting paths, searched from the query token's gates down: each of them can
// end one route, so there are no more searches than gates in its rows, and what a search in vain
// has seen is never looked at again.  O(gates of the query token x edges) at worst; usually a small
// part of the edges.
class DisjointRoutes {
 public:
  // `answer`: bits of positions below T.  `reached`: ReachableFrom(graph, seen, answer).  All must
  // outlive the object.  `known`: routes of this graph without a common gate, to start from; they
  // change the cost and the choice of routes, not their number.
  DisjointRoutes(const QuestionGraph& graph, const SeenPairs& seen, const LevelSets& reached,
                 std::span<const PositionWord> answer, std::span<const Route* const> known = {});

  int count() const { return count_; }

  // A choice of `count()` routes without a common gate; several may exist, the same one is found
  // each time.
  std::vector<Route> Routes() const;

 private:
  // A gate that a route runs through.
  struct Carrier {
    int32_t gate;
    RouteEdge edge;
    int32_t next_at_key;  // the next carrier whose key is the same node, -1 = none
  };
  // How a search came to a node, which wants one more unit, from one nearer to the query token.
  enum class Step : uint8_t {
    kThroughGate,  // a free gate looks at it
    kStay,         // by the residual edge below
    kStayLess,     // by the residual edge above: it brings one unit less
    kRefeed,       // a carrier looks at it instead of at where the search came from
    kRelease,      // a carrier that fed it is given up
  };
  struct Visit {
    int32_t from;  // node, -1 = the query token's gate
    Step step;
    int32_t gate;  // of kThroughGate, kRefeed and kRelease
    int32_t head;
  };

  int32_t Node(int level, int position) const { return level * positions_ + position; }
  int32_t GateId(int query, int32_t gate) const;
  void Adopt(const Route& route);
  bool Augment(int layer, int32_t gate, int head);
  bool Expand(int32_t node);
  bool Look(int layer, int query, int32_t gate, const Visit& visit);
  void Reach(int32_t node, const Visit& visit);
  void Apply(int32_t node);
  void Feed(int32_t gate, const RouteEdge& edge);
  RouteEdge Unfeed(int32_t gate);

  const QuestionGraph& graph_;
  const SeenPairs& seen_;
  const LevelSets& reached_;
  std::span<const PositionWord> answer_;
  int positions_;
  int count_ = 0;

  std::vector<Carrier> carriers_;
  std::vector<int32_t> carrier_of_;    // [gates] -1 = free
  std::vector<int32_t> first_at_key_;  // [nodes] the carriers whose key the node is
  std::vector<int32_t> staying_;       // [nodes] units on the residual edge above

  LevelSets visited_;
  std::vector<Visit> visits_;      // [nodes]
  std::vector<int32_t> frontier_;  // what the search has visited, in order
};

}  // namespace kvscope::metrics
