#include "services/metrics/graph/reach.h"

#include <algorithm>

namespace kvscope::metrics {
namespace {

// Whether the row `query` of a layer looks at a position of `set`.
bool LooksAt(const AttentionRows& rows, const SeenPairs& seen, bool suffix_row, int layer,
             int query, std::span<const PositionWord> set) {
  const auto [begin, end] = rows.gates(layer, query);
  for (int32_t gate = begin; gate < end; ++gate) {
    const PositionWord* const row = seen.Row(layer, rows.head(gate), suffix_row);
    for (const auto [index, mask] : rows.keys(gate)) {
      if (mask & row[index] & set[index]) return true;
    }
  }
  return false;
}

// Adds to `above` those rows from `first` on that look at `below`.
void AddLookers(const AttentionRows& rows, const SeenPairs& seen, bool suffix_row, int layer,
                int first, std::span<const PositionWord> below, std::span<PositionWord> above) {
  for (int query = std::max(first, rows.first()); query < rows.end(); ++query) {
    if (Contains(above, query)) continue;
    if (LooksAt(rows, seen, suffix_row, layer, query, below)) Insert(above, query);
  }
}

int FirstOf(std::span<const PositionWord> set) {
  for (size_t i = 0; i < set.size(); ++i) {
    if (set[i] != 0) return static_cast<int>(i) * kWordPositions + std::countr_zero(set[i]);
  }
  return static_cast<int>(set.size()) * kWordPositions;
}

// What the row `query` looks at is added to `below`.
void AddLookedAt(const AttentionRows& rows, const SeenPairs& seen, bool suffix_row, int layer,
                 int query, std::span<PositionWord> below) {
  const auto [begin, end] = rows.gates(layer, query);
  for (int32_t gate = begin; gate < end; ++gate) {
    const PositionWord* const row = seen.Row(layer, rows.head(gate), suffix_row);
    for (const auto [index, mask] : rows.keys(gate)) below[index] |= mask & row[index];
  }
}

bool HoldsAll(std::span<const PositionWord> set, int positions) {
  const int whole = positions / kWordPositions;
  for (int i = 0; i < whole; ++i) {
    if (~set[i] != 0) return false;
  }
  return positions % kWordPositions == 0 || set[whole] == BitOf(positions) - 1;
}

}  // namespace

LevelSets ReachableFrom(const QuestionGraph& graph, const SeenPairs& seen,
                        std::span<const PositionWord> from) {
  LevelSets reached(graph.layers() + 1, graph.positions());
  std::copy(from.begin(), from.end(), reached.level(0).begin());
  const int first = FirstOf(from) + 1;  // rows look back only
  for (int layer = 0; layer < graph.layers(); ++layer) {
    const auto below = reached.level(layer), above = reached.level(layer + 1);
    std::copy(below.begin(), below.end(), above.begin());
    AddLookers(graph.context(), seen, false, layer, first, below, above);
    AddLookers(graph.suffix(), seen, true, layer, first, below, above);
  }
  return reached;
}

LevelSets ReachableBehindContext(const QuestionGraph& graph, const SeenPairs& seen,
                                 const LevelSets& known) {
  LevelSets reached = known;
  const int tokens = graph.tokens();
  for (int level = 0; level <= graph.layers(); ++level) {
    const auto set = reached.level(level);
    const auto last = static_cast<size_t>(tokens / kWordPositions);
    if (last < set.size()) set[last] &= BitOf(tokens) - 1;
    for (size_t i = last + 1; i < set.size(); ++i) set[i] = 0;
  }
  for (int layer = 0; layer < graph.layers(); ++layer) {
    const auto below = reached.level(layer), above = reached.level(layer + 1);
    for (size_t i = 0; i < below.size(); ++i) above[i] |= below[i];
    AddLookers(graph.suffix(), seen, true, layer, tokens, below, above);
  }
  return reached;
}

QueryReach ReachingQueryToken(const QuestionGraph& graph, const SeenPairs& seen,
                              std::span<const PositionWord> targets) {
  const int layers = graph.layers(), positions = graph.positions();
  QueryReach reach = {LevelSets(layers + 1, positions)};
  LevelSets fresh = reach.positions;
  for (int level = 0; level <= layers; ++level) {
    Insert(fresh.level(level), graph.query_token());
    Insert(reach.positions.level(level), graph.query_token());
  }
  // Round n finds the nodes that are n attention edges away; a node's rows are looked at once.
  bool found = true;
  for (int edges = 1; found; ++edges) {
    found = false;
    LevelSets next(layers + 1, positions);
    for (int layer = layers - 1; layer >= 0; --layer) {
      const auto below = next.level(layer), known = reach.positions.level(layer);
      if (HoldsAll(known, positions)) continue;
      const auto above = fresh.level(layer + 1);
      for (size_t i = 0; i < above.size(); ++i) {
        ForEach(i, above[i], [&](int query) {
          AddLookedAt(graph.RowsOf(query), seen, query >= graph.tokens(), layer, query, below);
        });
      }
      const auto stays = next.level(layer + 1);
      for (size_t i = 0; i < below.size(); ++i) {
        below[i] = (below[i] | stays[i]) & ~known[i];
        known[i] |= below[i];
        found = found || below[i] != 0;
      }
    }
    if (reach.shortest == 0 && Intersect(next.level(0), targets)) reach.shortest = edges;
    fresh = std::move(next);
  }
  return reach;
}

}  // namespace kvscope::metrics
