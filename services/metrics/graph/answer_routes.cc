#include "services/metrics/graph/answer_routes.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "services/metrics/graph/reach.h"
#include "services/metrics/survival/survival.h"

namespace kvscope::metrics {
namespace {

absl::Status CheckAnswer(std::span<const int32_t> span, int tokens) {
  if (span.empty()) {
    return absl::InvalidArgumentError(
        "answer span: no position was found, but routes need at least one");
  }
  return CheckSpan(span, tokens);
}

}  // namespace

std::optional<double> ReachBound(int routes, double survival) {
  if (routes < 1 || !(survival >= 0 && survival <= 1)) return std::nullopt;
  return 1 - std::pow(1 - survival, routes);
}

absl::StatusOr<AnswerRoutes> AnswerRoutes::Make(std::shared_ptr<const QuestionGraph> graph,
                                                std::span<const int32_t> span) {
  if (absl::Status status = CheckAnswer(span, graph->tokens()); !status.ok()) return status;
  std::vector<PositionWord> answer(WordsFor(graph->positions()));
  for (const int32_t position : span) Insert(answer, position);
  return AnswerRoutes(std::move(graph), std::move(answer));
}

AnswerRoutes::AnswerRoutes(std::shared_ptr<const QuestionGraph> graph,
                           std::vector<PositionWord> answer)
    : graph_(std::move(graph)),
      answer_(std::move(answer)),
      reached_(ReachableFrom(*graph_, SeenPairs(*graph_), answer_)) {
  const SeenPairs seen(*graph_);
  routes_ = DisjointRoutes(*graph_, seen, reached_, answer_).Routes();
  std::vector<const Route*> all;
  for (const Route& route : routes_) all.push_back(&route);
  uncompressed_ = MeasureCut(seen, reached_, all);
  if (routes_.empty()) return;
  uncompressed_.routes_alive = uncompressed_.disjoint_routes;
  uncompressed_.route_survival = 1;
  uncompressed_.reach_bound = 1;
}

absl::StatusOr<CellRoutes> AnswerRoutes::Measure(const KeepBits& keep) const {
  if (absl::Status status = CheckFits(keep, *graph_); !status.ok()) return status;
  SeenPairs seen(*graph_, keep);
  if (seen.kept_everything()) return CellRoutes{uncompressed_, uncompressed_};
  CellRoutes routes;
  seen.set_cut(CutRows::kAll);
  routes.as_defined = MeasureCell(seen, ReachableFrom(*graph_, seen, answer_));
  seen.set_cut(CutRows::kSuffix);
  routes.as_computed = MeasureCell(seen, ReachableBehindContext(*graph_, seen, reached_));
  return routes;
}

GraphRoutes AnswerRoutes::MeasureCut(const SeenPairs& seen, const LevelSets& reached,
                                     std::span<const Route* const> alive) const {
  GraphRoutes result;
  for (int level = 0; level <= graph_->layers(); ++level) {
    result.reached_per_level.push_back(CountBelow(reached.level(level), graph_->positions()));
  }
  const QueryReach reach = ReachingQueryToken(*graph_, seen, answer_);
  result.reachable_tokens = CountBelow(reach.positions.level(0), graph_->tokens());
  result.reached = reach.shortest > 0;
  if (!result.reached) return result;
  result.shortest = reach.shortest;
  result.direct_routes = DirectRoutes(seen);
  result.disjoint_routes = DisjointRoutes(*graph_, seen, reached, answer_, alive).count();
  return result;
}

int AnswerRoutes::DirectRoutes(const SeenPairs& seen) const {
  int count = 0;
  const AttentionRows& rows = graph_->suffix();
  for (int layer = 0; layer < graph_->layers(); ++layer) {
    const auto [begin, end] = rows.gates(layer, graph_->query_token());
    for (int32_t gate = begin; gate < end; ++gate) {
      const PositionWord* const row = seen.Row(layer, rows.head(gate), true);
      const auto keys = rows.keys(gate);
      count += std::any_of(keys.begin(), keys.end(), [&](const AttentionRows::Keys& some) {
        return (some.mask & row[some.index] & answer_[some.index]) != 0;
      });
    }
  }
  return count;
}

GraphRoutes AnswerRoutes::MeasureCell(const SeenPairs& seen, const LevelSets& reached) const {
  std::vector<const Route*> alive_routes;
  double smallest = 1;
  for (const Route& route : routes_) {
    bool alive = true;
    double survival = 1;
    for (const RouteEdge& edge : route) {
      const bool suffix_row = edge.query >= graph_->tokens();
      if (edge.key >= graph_->tokens() || (seen.cut() == CutRows::kSuffix && !suffix_row)) continue;
      survival *= seen.KeptShare(edge.layer, edge.head);
      alive = alive && (seen.Row(edge.layer, edge.head, suffix_row)[edge.key / kWordPositions] &
                        BitOf(edge.key)) != 0;
    }
    smallest = std::min(smallest, survival);
    if (alive) alive_routes.push_back(&route);
  }
  GraphRoutes result = MeasureCut(seen, reached, alive_routes);
  if (routes_.empty()) return result;
  result.routes_alive = static_cast<int>(alive_routes.size());
  result.route_survival = smallest;
  result.reach_bound = ReachBound(static_cast<int>(routes_.size()), smallest);
  return result;
}

}  // namespace kvscope::metrics
