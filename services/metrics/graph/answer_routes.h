// How the query token is linked to an answer's tokens before and after eviction.
// Source: arXiv:2603.01426, token-attention graph, Def. 1-3, Prop. 1.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "services/metrics/graph/disjoint_routes.h"
#include "services/metrics/graph/position_sets.h"
#include "services/metrics/graph/seen_pairs.h"
#include "services/metrics/graph/token_graph.h"
#include "services/metrics/survival/keep_bits.h"

namespace kvscope::metrics {

// Prop. 1: where each of `routes` head-disjoint routes survives with a probability of at least
// `survival`, independently, a token stays reachable with at least 1 - (1 - survival)^routes.
// Null without a route or for a survival outside [0, 1].
std::optional<double> ReachBound(int routes, double survival);

// Of one graph: one way to cut, one keep set, one answer.
struct GraphRoutes {
  bool reached = false;      // the answer and R(q) have a token in common
  int reachable_tokens = 0;  // context tokens in R(q): those from which the query token is reached
  std::vector<int> reached_per_level;  // [layers + 1] positions that the answer reaches; level 0 is
                                       // the answer itself
  int direct_routes = 0;        // (layer, query head) pairs that look at the answer from the query
                                // token
  int disjoint_routes = 0;      // head-disjoint routes, 0 exactly where not reached
  std::optional<int> shortest;  // attention edges of the shortest route; null where not reached

  // Prop. 1 about the k routes that the answer had before eviction (AnswerRoutes::routes()).
  int routes_alive = 0;  // those of which no edge was cut
  // The smallest chance of a route to survive if each head had kept its measured share of the
  // context's tokens blindly: over the routes, the smallest product of the kept shares of
  // (layer, KV head) over the route's edges that this cut can meet.  It is known from what was
  // kept, not from where, so the bound is a forecast that the measured frequency may miss: a press
  // that keeps routes better than chance lies above it, routes that share their fate below.
  std::optional<double> route_survival;  // null without a route
  std::optional<double> reach_bound;     // ReachBound(k, route_survival)

  friend bool operator==(const GraphRoutes&, const GraphRoutes&) = default;
};

struct CellRoutes {
  GraphRoutes as_defined;   // every edge from an evicted pair is cut
  GraphRoutes as_computed;  // the context's rows saw the full cache: only those behind it are cut
};

// One answer of a passage: everything that no press and ratio changes is computed once.
class AnswerRoutes {
 public:
  // `span`: the answer's token positions, strictly ascending, at least one; an answer that stands
  // nowhere in the context has no routes to speak of, and the caller leaves them null.
  // Errors: InvalidArgument if the span is empty, leaves the context or does not ascend.
  static absl::StatusOr<AnswerRoutes> Make(std::shared_ptr<const QuestionGraph> graph,
                                           std::span<const int32_t> span);

  // Of the graph without eviction.
  const GraphRoutes& uncompressed() const { return uncompressed_; }
  // uncompressed().disjoint_routes routes without a common gate, the shortest that the search came
  // upon; the same ones each time.
  const std::vector<Route>& routes() const { return routes_; }

  // May run in several threads at once.  Equal keep sets give equal results.
  // Errors: InvalidArgument unless `keep` has the graph's layers and tokens, and KV heads that
  // divide its query heads.
  absl::StatusOr<CellRoutes> Measure(const KeepBits& keep) const;

 private:
  AnswerRoutes(std::shared_ptr<const QuestionGraph> graph, std::vector<PositionWord> answer);
  GraphRoutes MeasureCut(const SeenPairs& seen, const LevelSets& reached,
                         std::span<const Route* const> alive) const;
  GraphRoutes MeasureCell(const SeenPairs& seen, const LevelSets& reached) const;
  int DirectRoutes(const SeenPairs& seen) const;

  std::shared_ptr<const QuestionGraph> graph_;
  std::vector<PositionWord> answer_;  // [words]
  LevelSets reached_;                 // from the answer, without eviction
  GraphRoutes uncompressed_;
  std::vector<Route> routes_;
};

}  // namespace kvscope::metrics
