#include "services/orchestrator/report/queries.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>
#include <utility>

#include "services/orchestrator/report/layer_queries.h"
#include "services/orchestrator/report/probe_queries.h"
#include "services/orchestrator/report/query_row.h"
#include "services/orchestrator/report/statistics_queries.h"

namespace kvscope::orchestrator {
namespace {

using nlohmann::json;

json Cell(const ReportRow& row) {
  json cell = CellKey(row);
  cell["answers"] = row.answers;
  cell["ger_answers"] = row.ger_answers;
  cell["f1"] = Number(row.f1);
  cell["exact"] = Number(row.exact);
  cell["hallucination_rate"] = Number(row.hallucination_rate);
  cell["unknown_rate"] = Number(row.unknown_rate);
  cell["ger"] = Number(row.ger);
  cell["eviction_rate"] = Number(row.eviction_rate);
  cell["evicted_share"] = Number(row.evicted_share);
  cell["kept_ratio"] = Number(row.kept_ratio);
  cell["consensus_mean"] = Number(row.consensus_mean);
  SetInterval("f1", row.f1_interval, cell);
  SetInterval("hallucination", row.hallucination_interval, cell);
  SetInterval("unknown", row.unknown_interval, cell);
  SetInterval("ger", row.ger_interval, cell);
  return cell;
}

json DegradationPoint(const DegradationCurve& curve, size_t i, double full_f1,
                      const std::optional<Cliff>& cliff) {
  const ReportRow& row = curve.rows[i];
  json point = CellKey(row);
  point["answers"] = row.answers;
  point["f1"] = Number(row.f1);
  point["retained_f1"] = Number(row.f1 / full_f1);
  point["cliff"] = cliff && (i == cliff->end || i + 1 == cliff->end);
  point["cliff_end"] = cliff && i == cliff->end;
  point["cliff_label"] = "";
  point["cliff_text"] = "";
  if (cliff && i == cliff->end) {
    char label[32], text[96];
    std::snprintf(label, sizeof(label), "\u2212%.2f", cliff->drop / full_f1);
    std::snprintf(text, sizeof(text), "F1 %.3f \u2192 %.3f between ratios %.2f and %.2f",
                  curve.rows[i - 1].f1, row.f1, curve.rows[i - 1].ratio, row.ratio);
    point["cliff_label"] = label;
    point["cliff_text"] = text;
  }
  return point;
}

// Gives the curve's rows with a gap at every ratio of `ratios` that it has not.
void TakeCurve(const DegradationCurve& curve, const std::set<double>& ratios,
               const std::function<json(size_t)>& json_of, const TakeRow& take) {
  size_t i = 0;
  for (const double ratio : ratios) {
    if (i < curve.rows.size() && curve.rows[i].ratio == ratio) {
      take(json_of(i++));
    } else {
      json gap = Gap(json_of(0));
      gap["ratio"] = ratio;
      take(gap);
    }
  }
}

std::set<double> Ratios(const std::vector<DegradationCurve>& curves) {
  std::set<double> ratios;
  for (const DegradationCurve& curve : curves) {
    for (const ReportRow& row : curve.rows) ratios.insert(row.ratio);
  }
  return ratios;
}

json TagJson(const ReportTagRow& row) {
  json tag = CellKey(row);
  tag["value"] = row.value;
  tag["answers"] = row.answers;
  tag["f1"] = Number(row.f1);
  tag["hallucination_rate"] = Number(row.hallucination_rate);
  tag["unknown_rate"] = Number(row.unknown_rate);
  SetInterval("f1", row.f1_interval, tag);
  return tag;
}

}  // namespace

std::vector<NamedQuery> Queries(const ReportInput& input,
                                const std::vector<DegradationCurve>& curves) {
  const ReportStatistics& statistics = input.statistics;
  std::vector<NamedQuery> queries = {
      {"cells", [&](const TakeRow& take) { CellsQuery(curves, take); }},
      {"degradation", [&](const TakeRow& take) { DegradationQuery(curves, take); }},
      {"change_points",
       [&](const TakeRow& take) { ChangePointsQuery(statistics.change_points, take); }},
      {"comparisons", [&](const TakeRow& take) { ComparisonsQuery(statistics.comparisons, take); }},
      {"layers", [&](const TakeRow& take) { LayersQuery(curves, statistics.depth_shapes, take); }},
      {"consensus_by_layer", [&](const TakeRow& take) { ConsensusByLayerQuery(curves, take); }},
      {"susceptibility",
       [&](const TakeRow& take) { SusceptibilityQuery(statistics.susceptibility, take); }},
      {"decomposition",
       [&](const TakeRow& take) { DecompositionQuery(statistics.decomposition, curves, take); }},
      {"rigidity", [&](const TakeRow& take) { RigidityQuery(statistics.rigidity, take); }},
      {"routes", [&](const TakeRow& take) { RoutesQuery(statistics.routes, take); }},
      {"probes", [&](const TakeRow& take) { ProbesQuery(statistics.probes, curves, take); }},
      {"probes_by_layer",
       [&](const TakeRow& take) { ProbesByLayerQuery(statistics.probes, take); }},
      {"probes_radar", [&](const TakeRow& take) { ProbesRadarQuery(statistics.probes, take); }},
  };
  for (const char* tag : {"direction", "hop", "answer_type", "question_type"}) {
    queries.push_back(
        {tag, [&input, tag](const TakeRow& take) { TagQuery(input.tag_rows, tag, take); }});
  }
  return queries;
}

void CellsQuery(const std::vector<DegradationCurve>& curves, const TakeRow& take) {
  const std::set<double> ratios = Ratios(curves);
  for (const DegradationCurve& curve : curves) {
    TakeCurve(
        curve, ratios, [&curve](size_t i) { return Cell(curve.rows[i]); }, take);
  }
}

void DegradationQuery(const std::vector<DegradationCurve>& curves, const TakeRow& take) {
  const std::set<double> ratios = Ratios(curves);
  for (const DegradationCurve& curve : curves) {
    const ReportRow* full = Uncompressed(curve);
    if (full == nullptr || full->f1 <= 0) continue;
    const std::optional<Cliff> cliff = FindCliff(curve);
    const auto point = [&](size_t i) { return DegradationPoint(curve, i, full->f1, cliff); };
    TakeCurve(curve, ratios, point, take);
  }
}

void TagQuery(const std::vector<ReportTagRow>& rows, const std::string& tag, const TakeRow& take) {
  using Group = std::pair<std::string, std::string>;
  std::map<Group, std::set<std::string>> values;
  const auto shown = [&tag](const ReportTagRow& row) {
    return row.tag == tag && !row.value.empty();
  };
  for (const ReportTagRow& row : rows) {
    if (shown(row)) values[{row.dataset, row.regime}].insert(row.value);
  }
  std::vector<ReportTagRow> told_apart;
  for (const ReportTagRow& row : rows) {
    if (shown(row) && values[{row.dataset, row.regime}].size() > 1) told_apart.push_back(row);
  }
  TakeSeries(
      told_apart, [](const ReportTagRow& row) { return row.value; }, TagJson, take);
}

CellIndex::CellIndex(const std::vector<DegradationCurve>& curves) : curves_(curves) {}

const ReportRow* CellIndex::Find(const std::string& dataset, const std::string& regime,
                                 const std::string& press, double ratio) const {
  const auto key = std::tie(dataset, regime, press);
  const auto curve =
      std::lower_bound(curves_.begin(), curves_.end(), key, [](const auto& c, const auto& wanted) {
        return std::tie(c.dataset, c.regime, c.press) < wanted;
      });
  if (curve == curves_.end() || std::tie(curve->dataset, curve->regime, curve->press) != key) {
    return nullptr;
  }
  for (const ReportRow& row : curve->rows) {
    if (row.ratio == ratio) return &row;
  }
  return nullptr;
}

std::string PanelName(double ratio) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.3g %% removed", 100 * ratio);
  return text;
}

std::vector<double> PanelRatios(std::vector<double> available) {
  std::sort(available.begin(), available.end());
  std::vector<double> panels;
  for (const double wanted : {0.1, 0.5, 0.9}) {
    const auto nearest = std::min_element(
        available.begin(), available.end(),
        [wanted](double a, double b) { return std::abs(a - wanted) < std::abs(b - wanted); });
    if (nearest == available.end() || *nearest <= 0 || std::abs(*nearest - wanted) > 0.1 + 1e-9) {
      continue;
    }
    if (panels.empty() || panels.back() != *nearest) panels.push_back(*nearest);
  }
  return panels;
}

}  // namespace kvscope::orchestrator
