#include "services/orchestrator/report/statistics_queries.h"

#include <map>
#include <nlohmann/json.hpp>
#include <tuple>

#include "services/orchestrator/report/query_row.h"

namespace kvscope::orchestrator {
namespace {

using nlohmann::json;

const auto kNoPart = [](const auto&) { return std::string(); };

}  // namespace

void SusceptibilityQuery(const std::vector<ReportSusceptibilityRow>& rows, const TakeRow& take) {
  const auto json_of = [](const ReportSusceptibilityRow& row) {
    json point = CellKey(row);
    point["chi"] = Number(row.chi);
    point["note"] = row.note;
    SetInterval("", row.interval, point);
    return point;
  };
  TakeSeries(rows, kNoPart, json_of, take);
}

void ChangePointsQuery(const std::vector<ReportChangePoint>& points, const TakeRow& take) {
  std::map<std::tuple<std::string, std::string, std::string>, const ReportChangePoint*> ordered;
  for (const ReportChangePoint& point : points) {
    ordered.emplace(std::tuple(point.dataset, point.regime, point.press), &point);
  }
  for (const auto& [key, point] : ordered) {
    json row = {{"dataset", point->dataset},
                {"regime", point->regime},
                {"press", point->press},
                {"ratio", Number(point->ratio)},
                {"note", point->note}};
    SetInterval("", point->interval, row);
    take(row);
  }
}

void ComparisonsQuery(const std::vector<ReportComparison>& comparisons, const TakeRow& take) {
  const auto json_of = [](const ReportComparison& comparison) {
    json point = CellKey(comparison);
    point["against"] = comparison.against;
    point["difference"] = Number(comparison.difference);
    point["p"] = Number(comparison.p);
    point["p_corrected"] = Number(comparison.p_corrected);
    point["mde"] = Number(comparison.mde);
    point["note"] = comparison.note;
    SetInterval("", comparison.interval, point);
    return point;
  };
  const auto against = [](const ReportComparison& comparison) { return comparison.against; };
  TakeSeries(comparisons, against, json_of, take);
}

void RoutesQuery(const std::vector<ReportRouteRow>& rows, const TakeRow& take) {
  const auto json_of = [](const ReportRouteRow& row) {
    json point = CellKey(row);
    point["answers"] = row.answers;
    point["reachable_defined"] = Number(row.reachable_defined);
    point["reachable_computed"] = Number(row.reachable_computed);
    point["disjoint_defined"] = Number(row.disjoint_defined);
    point["disjoint_computed"] = Number(row.disjoint_computed);
    point["route_length"] = Number(row.route_length);
    point["bound"] = Number(row.bound);
    point["note"] = row.note;
    return point;
  };
  TakeSeries(rows, kNoPart, json_of, take);
}

void DecompositionQuery(const std::vector<ReportDecompositionRow>& rows,
                        const std::vector<DegradationCurve>& curves, const TakeRow& take) {
  const CellIndex cells(curves);
  const auto json_of = [&cells](const ReportDecompositionRow& row) {
    const ReportRow* cell = cells.Find(row.dataset, row.regime, row.press, row.ratio);
    json point = CellKey(row);
    point["answers"] = row.answers;
    point["failures"] = row.failures;
    point["erasure_share"] = Number(row.erasure_share);
    point["rigidity_share"] = Number(row.rigidity_share);
    point["consensus_mean"] = cell ? Number(cell->consensus_mean) : nullptr;
    const bool both = !point["consensus_mean"].is_null() && !point["rigidity_share"].is_null();
    point["rigidity_at_consensus"] = both ? point["rigidity_share"] : json(nullptr);
    point["note"] = row.note;
    SetInterval("erasure", row.erasure_interval, point);
    SetInterval("rigidity", row.rigidity_interval, point);
    const auto of_answers = [&row](const std::optional<double>& share) -> json {
      if (row.answers <= 0) return nullptr;
      if (row.failures == 0) return 0.0;
      if (!share) return nullptr;
      return Number(*share * static_cast<double>(row.failures) / static_cast<double>(row.answers));
    };
    point["erasure"] = of_answers(row.erasure_share);
    point["rigidity"] = of_answers(row.rigidity_share);
    return point;
  };
  TakeSeries(rows, kNoPart, json_of, take);
}

void RigidityQuery(const std::vector<ReportRigidityRow>& rows, const TakeRow& take) {
  for (const ReportRigidityRow& row : rows) {
    json point = {{"dataset", row.dataset},
                  {"regime", row.regime},
                  {"press", row.press},
                  {"part", row.part},
                  {"consensus_lo", Number(row.consensus_low)},
                  {"consensus_hi", Number(row.consensus_high)},
                  {"consensus", nullptr},
                  {"failures", row.failures},
                  {"rigidity_share", Number(row.rigidity_share)},
                  {"slope", Number(row.slope)},
                  {"note", row.note}};
    if (row.consensus_low && row.consensus_high) {
      point["consensus"] = Number((*row.consensus_low + *row.consensus_high) / 2);
    }
    SetInterval("", row.interval, point);
    SetInterval("slope", row.slope_interval, point);
    take(point);
  }
}

}  // namespace kvscope::orchestrator
