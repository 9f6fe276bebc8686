#include "services/orchestrator/report/cliff.h"

#include <map>
#include <tuple>
#include <utility>

namespace kvscope::orchestrator {

std::vector<DegradationCurve> Curves(const std::vector<ReportRow>& rows) {
  std::map<std::tuple<std::string, std::string, std::string>, std::map<double, ReportRow>> curves;
  for (const ReportRow& row : rows) {
    curves[{row.dataset, row.regime, row.press}].emplace(row.ratio, row);
  }
  std::vector<DegradationCurve> result;
  for (auto& [key, by_ratio] : curves) {
    DegradationCurve curve{std::get<0>(key), std::get<1>(key), std::get<2>(key), {}};
    for (auto& [ratio, row] : by_ratio) curve.rows.push_back(std::move(row));
    result.push_back(std::move(curve));
  }
  return result;
}

std::optional<Cliff> FindCliff(const DegradationCurve& curve) {
  std::optional<Cliff> cliff;
  double steepest = 0;
  for (size_t i = 1; i < curve.rows.size(); ++i) {
    const ReportRow& from = curve.rows[i - 1];
    const ReportRow& to = curve.rows[i];
    const double drop = from.f1 - to.f1;
    const double slope = drop / (to.ratio - from.ratio);
    if (drop < kSmallestCliff || slope <= steepest) continue;
    steepest = slope;
    cliff = Cliff{i, drop};
  }
  return cliff;
}

const ReportRow* Uncompressed(const DegradationCurve& curve) {
  if (curve.rows.empty() || curve.rows.front().ratio != 0) return nullptr;
  return &curve.rows.front();
}

std::optional<double> UnharmedUpTo(const DegradationCurve& curve) {
  const ReportRow* full = Uncompressed(curve);
  if (full == nullptr) return std::nullopt;
  constexpr double kRounding = 1e-9;
  double last = 0;
  for (const ReportRow& row : curve.rows) {
    if (full->f1 - row.f1 > kUnharmedDrop + kRounding) break;
    last = row.ratio;
  }
  return last;
}

}  // namespace kvscope::orchestrator
