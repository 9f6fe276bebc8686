// Why answers fail, and whether the query token still reaches the answer.
#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "services/client/cli/answer_columns.h"
#include "services/client/cli/statistics.h"
#include "services/metrics/estimate/decomposition.h"
#include "services/orchestrator/report/median.h"

namespace kvscope::cli {
namespace {

using metrics::Failed;
using orchestrator::ReportDecompositionRow;
using orchestrator::ReportRouteRow;
using orchestrator::ReportStatistics;

// The outcome of the same questions at ratio 0; unknown where that cell lacks one.
std::vector<Failed> Uncompressed(const CellAnswers& cell, const CellAnswers* full) {
  std::vector<Failed> failed;
  if (full == nullptr) return failed;
  ForEachPair(cell, *full, [&](const AnswerPoint&, const AnswerPoint* there) {
    failed.push_back(there == nullptr ? Failed::kUnknown : FailedOf(*there));
  });
  return failed;
}

ReportDecompositionRow DecomposeCell(const SweepAnswers& answers, const CellKey& key,
                                     const CellAnswers& cell) {
  const auto& [dataset, regime, press, ratio] = key;
  ReportDecompositionRow row = {
      .dataset = dataset, .regime = regime, .press = press, .ratio = ratio};
  AnswerColumns columns;
  columns.passage_count = answers.parts.at(dataset).passages;
  columns.Add(cell, ratio);
  const auto full = answers.cells.find({dataset, regime, press, 0.0});
  const std::vector<Failed> uncompressed =
      Uncompressed(cell, full == answers.cells.end() ? nullptr : &full->second);
  const auto found = metrics::Decompose({.passages = columns.passages(),
                                         .failed = columns.failed,
                                         .ger = columns.ger,
                                         .consensus = columns.consensus,
                                         .failed_uncompressed = uncompressed});
  if (!found.ok()) {
    row.note = std::string(found.status().message());
    return row;
  }
  row.answers = found->answers;
  row.failures = found->failures;
  row.erasure_share = found->erasure_share.value;
  row.rigidity_share = found->rigidity_share.value;
  row.erasure_interval = IntervalOf(found->erasure_share);
  row.rigidity_interval = IntervalOf(found->rigidity_share);
  row.note = found->erasure_share.note;
  return row;
}

std::optional<double> MedianOf(std::vector<double> values) {
  if (values.empty()) return std::nullopt;
  return orchestrator::Median(std::move(values));
}

ReportRouteRow RoutesOf(const CellKey& key, const CellAnswers& cell) {
  const auto& [dataset, regime, press, ratio] = key;
  ReportRouteRow row = {.dataset = dataset, .regime = regime, .press = press, .ratio = ratio};
  row.answers = static_cast<int64_t>(cell.routes.size());
  std::vector<double> defined, computed, lengths;
  double reached_defined = 0, reached_computed = 0, bounds = 0;
  int64_t bounded = 0;
  for (const RoutePoint& route : cell.routes) {
    reached_defined += route.reached_defined;
    reached_computed += route.reached_computed;
    defined.push_back(route.disjoint_defined);
    computed.push_back(route.disjoint_computed);
    if (route.reached_defined) lengths.push_back(route.length_defined);
    if (std::isnan(route.bound)) continue;
    bounds += route.bound;
    ++bounded;
  }
  const auto count = static_cast<double>(cell.routes.size());
  row.reachable_defined = reached_defined / count;
  row.reachable_computed = reached_computed / count;
  row.disjoint_defined = MedianOf(std::move(defined));
  row.disjoint_computed = MedianOf(std::move(computed));
  row.route_length = MedianOf(std::move(lengths));
  if (bounded > 0) row.bound = bounds / static_cast<double>(bounded);
  return row;
}

}  // namespace

void AddFailures(const SweepAnswers& answers, ReportStatistics& statistics) {
  std::vector<std::pair<const CellKey*, const CellAnswers*>> cells;
  for (const auto& [key, cell] : answers.cells) {
    cells.emplace_back(&key, &cell);
    if (!cell.routes.empty()) statistics.routes.push_back(RoutesOf(key, cell));
  }
  statistics.decomposition.resize(cells.size());
  ForEachInParallel(cells.size(), [&](size_t i) {
    statistics.decomposition[i] = DecomposeCell(answers, *cells[i].first, *cells[i].second);
  });
}

}  // namespace kvscope::cli
