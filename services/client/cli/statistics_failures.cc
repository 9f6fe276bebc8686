// Why answers fail, and whether the query token still reaches the answer.
#include <algorithm>
#include <cmath>
#include <iterator>
#include <string>
#include <tuple>
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
using orchestrator::ReportRigidityRow;
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

// The failures of one press on one data set in one regime, at all ratios but 0.
struct FailuresOf {
  std::string dataset, regime, press;
  AnswerColumns columns;
  std::vector<ReportRigidityRow> rows;
};

std::vector<FailuresOf> FailuresOfPresses(const SweepAnswers& answers) {
  std::vector<FailuresOf> presses;
  for (const auto& [key, cell] : answers.cells) {  // by data set, regime, press, then ratio
    const auto& [dataset, regime, press, ratio] = key;
    if (ratio == 0) continue;
    if (presses.empty() || std::tie(presses.back().dataset, presses.back().regime,
                                    presses.back().press) != std::tie(dataset, regime, press)) {
      presses.push_back({dataset, regime, press, {}, {}});
      presses.back().columns.passage_count = answers.parts.at(dataset).passages;
    }
    presses.back().columns.Add(cell, ratio);
  }
  return presses;
}

// Which third of the failures a part is; where values tie there are fewer parts.
std::string PartName(size_t part, size_t parts) {
  if (parts == 1) return "all alike";
  if (part == 0) return "low";
  return part + 1 == parts ? "high" : "middle";
}

void PartByConsensus(FailuresOf& press) {
  const AnswerColumns& columns = press.columns;
  const auto found = metrics::Decompose({.passages = columns.passages(),
                                         .failed = columns.failed,
                                         .ger = columns.ger,
                                         .consensus = columns.consensus,
                                         .failed_uncompressed = {}});
  ReportRigidityRow row = {.dataset = press.dataset, .regime = press.regime, .press = press.press};
  if (!found.ok()) {
    row.note = std::string(found.status().message());
    press.rows.push_back(row);
    return;
  }
  const metrics::RigidityByConsensus& by_consensus = found->by_consensus;
  row.slope = by_consensus.slope.value;
  row.slope_interval = IntervalOf(by_consensus.slope);
  row.note = by_consensus.slope.note;
  for (size_t i = 0; i < by_consensus.terciles.size(); ++i) {
    const auto& tercile = by_consensus.terciles[i];
    row.part = PartName(i, by_consensus.terciles.size());
    row.consensus_low = tercile.low;
    row.consensus_high = tercile.high;
    row.failures = tercile.failures;
    row.rigidity_share = tercile.rigidity_share.value;
    row.interval = IntervalOf(tercile.rigidity_share);
    press.rows.push_back(row);
  }
  if (by_consensus.terciles.empty()) press.rows.push_back(row);
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
  ForEachInParallel(cells.size(), "failures", [&](size_t i) {
    statistics.decomposition[i] = DecomposeCell(answers, *cells[i].first, *cells[i].second);
  });
  std::vector<FailuresOf> presses = FailuresOfPresses(answers);
  ForEachInParallel(presses.size(), "presses", [&](size_t i) { PartByConsensus(presses[i]); });
  for (FailuresOf& press : presses) {
    std::move(press.rows.begin(), press.rows.end(), std::back_inserter(statistics.rigidity));
  }
}

}  // namespace kvscope::cli
