#include "services/orchestrator/report/layer_queries.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>
#include <utility>

#include "services/orchestrator/report/query_row.h"

namespace kvscope::orchestrator {
namespace {

using nlohmann::json;

size_t LayerCount(const ReportRow& row) {
  return std::max({row.consensus_layer.size(), row.agreement_layer.size(), row.ger_layer.size(),
                   row.eviction_rate_layer.size()});
}

json ConsensusRow(const ReportRow& row, double panel, int order) {
  json layers = CellKey(row);
  if (row.ratio == 0) layers["press"] = kUncompressedPress;
  layers["panel"] = PanelName(panel);
  layers["order"] = order;
  layers["answers"] = row.answers;
  layers["layers"] = row.consensus_layer.size();
  layers["consensus"] = Numbers(row.consensus_layer);
  layers["agreement"] = Numbers(row.agreement_layer);
  return layers;
}

}  // namespace

void LayersQuery(const std::vector<DegradationCurve>& curves,
                 const std::vector<ReportDepthShape>& shapes, const TakeRow& take) {
  using Key = std::tuple<std::string, std::string, std::string, double>;
  std::map<Key, std::string> labels;
  for (const ReportDepthShape& shape : shapes) {
    labels.emplace(Key(shape.dataset, shape.regime, shape.press, shape.ratio), shape.label);
  }
  std::set<double> ratios;
  for (const DegradationCurve& curve : curves) {
    for (const ReportRow& row : curve.rows) {
      if (LayerCount(row) > 0) ratios.insert(row.ratio);
    }
  }
  const std::set<double> shown = EvenRatios(ratios, kMaxLayerRatios);
  for (const DegradationCurve& curve : curves) {
    for (const ReportRow& row : curve.rows) {
      if (LayerCount(row) == 0 || !shown.contains(row.ratio)) continue;
      json layers = CellKey(row);
      layers["answers"] = row.answers;
      layers["layers"] = LayerCount(row);
      layers["consensus"] = Numbers(row.consensus_layer);
      layers["agreement"] = Numbers(row.agreement_layer);
      layers["ger"] = Numbers(row.ger_layer);
      layers["eviction"] = Numbers(row.eviction_rate_layer);
      const auto label = labels.find({row.dataset, row.regime, row.press, row.ratio});
      layers["shape"] = label == labels.end() ? "" : label->second;
      take(layers);
    }
  }
}

void ConsensusByLayerQuery(const std::vector<DegradationCurve>& curves, const TakeRow& take) {
  std::vector<double> ratios;
  std::map<std::pair<std::string, std::string>, int> groups;  // by data set and regime: their place
  for (const DegradationCurve& curve : curves) {
    groups.emplace(std::pair(curve.dataset, curve.regime), static_cast<int>(groups.size()));
    for (const ReportRow& row : curve.rows) {
      if (!row.consensus_layer.empty()) ratios.push_back(row.ratio);
    }
  }
  const std::vector<double> panels = PanelRatios(std::move(ratios));

  std::set<int> uncompressed;  // every press has the same: drawn once
  for (const DegradationCurve& curve : curves) {
    const int group = groups.at({curve.dataset, curve.regime});
    for (const ReportRow& row : curve.rows) {
      if (row.consensus_layer.empty()) continue;
      if (row.ratio == 0 && !uncompressed.insert(group).second) continue;
      for (size_t i = 0; i < panels.size(); ++i) {
        if (row.ratio != 0 && row.ratio != panels[i]) continue;
        const int order = group * static_cast<int>(panels.size()) + static_cast<int>(i);
        take(ConsensusRow(row, panels[i], order));
      }
    }
  }
}

}  // namespace kvscope::orchestrator
