// What a graph's nodes reach: the sets that every measure of routes starts from.
#pragma once

#include <span>

#include "services/metrics/graph/position_sets.h"
#include "services/metrics/graph/seen_pairs.h"
#include "services/metrics/graph/token_graph.h"

namespace kvscope::metrics {

// [layers + 1] the positions that can be reached from `from` (bits of level 0).
LevelSets ReachableFrom(const QuestionGraph& graph, const SeenPairs& seen,
                        std::span<const PositionWord> from);

// The same where the context's rows are known: `known` is of a graph with the same context rows
// (its bits behind the context are not read), so only the question's own rows are looked at.
LevelSets ReachableBehindContext(const QuestionGraph& graph, const SeenPairs& seen,
                                 const LevelSets& known);

// R(q) of the paper, and how far away `targets` are.
struct QueryReach {
  LevelSets positions;  // [layers + 1] those from which the query token at the top is reached; R(q)
                        // is level 0
  int shortest = 0;     // fewest attention edges from a target at level 0; 0 if none is reached
};
// `targets` must not hold the query token.
QueryReach ReachingQueryToken(const QuestionGraph& graph, const SeenPairs& seen,
                              std::span<const PositionWord> targets);

}  // namespace kvscope::metrics
