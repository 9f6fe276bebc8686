// Statistics over the compression ratio: susceptibility, change points, GER against hallucination.
#include <algorithm>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "services/client/cli/answer_columns.h"
#include "services/client/cli/statistics.h"
#include "services/metrics/estimate/change_point.h"
#include "services/metrics/estimate/correlation.h"
#include "services/metrics/estimate/curve.h"
#include "services/metrics/estimate/susceptibility.h"

namespace kvscope::cli {
namespace {

using orchestrator::ReportStatistics;

// One press on one data set in one regime: the cells over all ratios.
struct CurveOf {
  std::string dataset, regime, press;
  AnswerColumns columns;
  std::vector<orchestrator::ReportSusceptibilityRow> susceptibility;
  orchestrator::ReportChangePoint change_point;
};

std::vector<CurveOf> CurvesOf(const SweepAnswers& answers) {
  std::vector<CurveOf> curves;
  for (const auto& [key, cell] : answers.cells) {  // by data set, regime, press, then ratio
    const auto& [dataset, regime, press, ratio] = key;
    if (curves.empty() || std::tie(curves.back().dataset, curves.back().regime,
                                   curves.back().press) != std::tie(dataset, regime, press)) {
      curves.push_back({dataset, regime, press, {}, {}, {}});
      curves.back().columns.passage_count = answers.parts.at(dataset).passages;
    }
    curves.back().columns.Add(cell, ratio);
  }
  return curves;
}

void MeasureSusceptibilityOf(CurveOf& curve) {
  const auto hallucination =
      metrics::MakeCurve(curve.columns.passages(), curve.columns.ratio, curve.columns.hallucinated);
  if (!hallucination.ok()) return;
  const metrics::Susceptibility found = metrics::MeasureSusceptibility(*hallucination);
  for (size_t i = 0; i < found.chi.size(); ++i) {
    curve.susceptibility.push_back({.dataset = curve.dataset,
                                    .regime = curve.regime,
                                    .press = curve.press,
                                    .ratio = found.ratios[i],
                                    .chi = found.chi[i].value,
                                    .interval = IntervalOf(found.chi[i]),
                                    .note = found.chi[i].note});
  }
}

// Only a turn that is a cliff has a place in the report; the others say why they are none.
void FindCliffOf(CurveOf& curve) {
  auto& out = curve.change_point;
  out.dataset = curve.dataset;
  out.regime = curve.regime;
  out.press = curve.press;
  const auto f1 =
      metrics::MakeCurve(curve.columns.passages(), curve.columns.ratio, curve.columns.f1);
  if (!f1.ok()) {
    out.note = std::string(f1.status().message());
    return;
  }
  const metrics::ChangePoint found = metrics::FindChangePoint(*f1, metrics::Worse::kLower);
  out.note = found.verdict;
  if (!found.is_cliff) return;
  out.ratio = found.place.value;
  out.interval = IntervalOf(found.place);
}

// The cells of a scope, with passages numbered over all its data sets.
struct Scope {
  AnswerColumns columns;
  std::vector<int32_t> cell;
  int32_t cells = 0;
  std::map<std::string, int32_t> first_passage;  // of each data set

  void Add(const SweepAnswers& answers, const CellKey& key, const CellAnswers& added) {
    const AnswerPart& part = answers.parts.at(std::get<0>(key));
    const auto [at, is_new] = first_passage.try_emplace(part.dataset, columns.passage_count);
    if (is_new) columns.passage_count += part.passages;
    columns.Add(added, std::get<3>(key), at->second);
    cell.resize(columns.passage.size(), cells++);
  }
};

orchestrator::ReportCorrelation Correlate(const std::string& name, const Scope& scope) {
  orchestrator::ReportCorrelation out = {.scope = name};
  const auto found =
      metrics::CorrelateCells(scope.columns.passages(), scope.cell, scope.cells, scope.columns.ger,
                              scope.columns.hallucinated, {.draws = 500});
  if (!found.ok()) {
    out.note = std::string(found.status().message());
    return out;
  }
  out.n = found->cells;
  out.pearson = found->pearson.value;
  out.spearman = found->spearman.value;
  out.pearson_interval = IntervalOf(found->pearson);
  out.spearman_interval = IntervalOf(found->spearman);
  out.note = found->pearson.note.empty() ? found->spearman.note : found->pearson.note;
  return out;
}

}  // namespace

void AddCurves(const SweepAnswers& answers, ReportStatistics& statistics) {
  std::vector<CurveOf> curves = CurvesOf(answers);
  ForEachInParallel(curves.size(), "curves", [&](size_t i) {
    MeasureSusceptibilityOf(curves[i]);
    FindCliffOf(curves[i]);
  });
  for (CurveOf& curve : curves) {
    std::move(curve.susceptibility.begin(), curve.susceptibility.end(),
              std::back_inserter(statistics.susceptibility));
    statistics.change_points.push_back(std::move(curve.change_point));
  }
  statistics.susceptibility_smoothing =
      "no smoothing: differences of second order between the ratios of the grid, one-sided at its "
      "ends";

  std::vector<std::pair<std::string, Scope>> scopes(1);
  scopes.front().first = "all cells";
  std::map<std::string, size_t> of_name;
  for (const auto& [key, cell] : answers.cells) {
    scopes.front().second.Add(answers, key, cell);
    const std::string& model = answers.parts.at(std::get<0>(key)).model;
    std::vector<std::string> names = {std::get<0>(key) + " \u00B7 " + std::get<1>(key)};
    if (!model.empty()) names.push_back("all cells \u00B7 " + model);
    for (const std::string& name : names) {
      const auto [at, is_new] = of_name.try_emplace(name, scopes.size());
      if (is_new) scopes.emplace_back(name, Scope());
      scopes[at->second].second.Add(answers, key, cell);
    }
  }
  statistics.correlations.resize(scopes.size());
  ForEachInParallel(scopes.size(), "correlations", [&](size_t i) {
    statistics.correlations[i] = Correlate(scopes[i].first, scopes[i].second);
  });
}

}  // namespace kvscope::cli
