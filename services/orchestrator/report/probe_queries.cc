#include "services/orchestrator/report/probe_queries.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <numbers>
#include <set>
#include <utility>

#include "services/orchestrator/report/layer_queries.h"
#include "services/orchestrator/report/query_row.h"

namespace kvscope::orchestrator {
namespace {

using nlohmann::json;

// What the panels of one data set and regime share, and where its types stand.
class Radar {
 public:
  Radar(std::string dataset, std::string regime, const std::set<std::string>& tags)
      : dataset_(std::move(dataset)), regime_(std::move(regime)), tags_(tags.begin(), tags.end()) {}

  // Lines and labels of the net of one panel.
  void TakeNet(double ratio, int group_order, const TakeRow& take) const {
    for (const char* ring : {"0.25", "0.5", "0.75", "1"}) {
      for (size_t i = 0; i <= tags_.size(); ++i) {
        json row = Corner("ring", ratio, group_order, i, std::stod(ring));
        row["line"] = std::string("ring ") + ring;
        take(row);
      }
    }
    for (size_t i = 0; i < tags_.size(); ++i) {
      for (const double end : {0.0, 1.0}) {
        json row = Corner("spoke", ratio, group_order, i, end);
        row["line"] = "spoke " + std::to_string(i);
        take(row);
      }
      take(Corner("tag", ratio, group_order, i, 1.26));
    }
  }

  // The closed polygon of one press; `by_tag`: its rows.
  void TakePolygon(const std::map<std::string, const ReportProbeRow*>& by_tag,
                   const std::string& press, double ratio, int group_order,
                   const TakeRow& take) const {
    for (size_t i = 0; i <= tags_.size(); ++i) {
      const auto found = by_tag.find(tags_[i % tags_.size()]);
      const ReportProbeRow* of = found == by_tag.end() ? nullptr : found->second;
      const bool defined = of && of->f1 && std::isfinite(*of->f1);
      json row = Corner("press", ratio, group_order, i, defined ? *of->f1 : 0);
      if (!defined) row["x"] = row["y"] = nullptr;
      row["press"] = press;
      if (of) {
        row["ratio"] = of->ratio;
        row["f1"] = Number(of->f1);
        row["count"] = of->count;
        row["note"] = of->note;
        SetInterval("", of->interval, row);
      }
      take(row);
    }
  }

 private:
  json Corner(const char* part, double ratio, int group_order, size_t i, double radius) const {
    const double angle = 2 * std::numbers::pi * static_cast<double>(i % tags_.size()) /
                         static_cast<double>(tags_.size());
    const auto rounded = [](double x) { return std::round(1e6 * x) / 1e6 + 0.0; };
    return {{"dataset", dataset_},
            {"regime", regime_},
            {"press", nullptr},
            {"ratio", ratio},
            {"panel", PanelName(ratio)},
            {"group_order", group_order},
            {"part", part},
            {"line", ""},
            {"order", i},
            {"tag", tags_[i % tags_.size()]},
            {"x", rounded(radius * std::sin(angle))},
            {"y", rounded(radius * std::cos(angle))},
            {"f1", nullptr},
            {"lo", nullptr},
            {"hi", nullptr},
            {"count", nullptr},
            {"note", ""}};
  }

  std::string dataset_;
  std::string regime_;
  std::vector<std::string> tags_;
};

// The rows of one data set and regime by ratio, press and tag.
using ByTag = std::map<std::string, const ReportProbeRow*>;
using RadarRows = std::map<double, std::map<std::string, ByTag>>;

void TakePanel(const Radar& radar, const RadarRows& rows, double panel, int group_order,
               const TakeRow& take) {
  radar.TakeNet(panel, group_order, take);
  if (const auto full = rows.find(0); full != rows.end()) {  // every press has the same
    radar.TakePolygon(full->second.begin()->second, kUncompressedPress, panel, group_order, take);
  }
  const auto at = rows.find(panel);
  if (at == rows.end()) return;
  for (const auto& [press, by_tag] : at->second) {
    radar.TakePolygon(by_tag, press, panel, group_order, take);
  }
}

}  // namespace

int WholeProbeLayer(const std::vector<ReportProbeRow>& rows) {
  int last = -1;
  for (const ReportProbeRow& row : rows) {
    if (row.layer < 0) return -1;
    last = std::max(last, row.layer);
  }
  return last;
}

void ProbesQuery(const std::vector<ReportProbeRow>& rows,
                 const std::vector<DegradationCurve>& curves, const TakeRow& take) {
  const CellIndex cells(curves);
  std::vector<ReportProbeRow> whole;
  const int layer = WholeProbeLayer(rows);
  for (const ReportProbeRow& row : rows) {
    if (row.layer == layer && row.tag.empty()) whole.push_back(row);
  }
  const auto json_of = [&cells](const ReportProbeRow& row) {
    const ReportRow* cell = cells.Find(row.dataset, row.regime, row.press, row.ratio);
    json point = CellKey(row);
    point["probe"] = Number(row.f1);
    point["f1"] = cell ? Number(cell->f1) : nullptr;
    point["answers"] = cell ? json(cell->answers) : nullptr;
    point["count"] = row.count;
    point["note"] = row.note;
    SetInterval("probe", row.interval, point);
    return point;
  };
  TakeSeries(
      whole, [](const ReportProbeRow&) { return std::string(); }, json_of, take);
}

void ProbesByLayerQuery(const std::vector<ReportProbeRow>& rows, const TakeRow& take) {
  using Key = std::tuple<std::string, std::string, std::string, double, int>;
  std::map<Key, const ReportProbeRow*> ordered;
  std::set<double> ratios;
  for (const ReportProbeRow& row : rows) {
    if (row.layer < 0 || !row.tag.empty()) continue;
    ordered.emplace(Key(row.dataset, row.regime, row.press, row.ratio, row.layer), &row);
    ratios.insert(row.ratio);
  }
  const std::set<double> shown = EvenRatios(ratios, kMaxLayerRatios);
  for (const auto& [key, row] : ordered) {
    if (!shown.contains(row->ratio)) continue;
    json point = CellKey(*row);
    point["layer"] = row->layer;
    point["probe"] = Number(row->f1);
    point["count"] = row->count;
    point["note"] = row->note;
    SetInterval("", row->interval, point);
    take(point);
  }
}

void ProbesRadarQuery(const std::vector<ReportProbeRow>& rows, const TakeRow& take) {
  struct Group {
    std::set<std::string> tags;
    RadarRows rows;
  };
  std::map<std::pair<std::string, std::string>, Group> groups;
  std::vector<double> ratios;
  const int layer = WholeProbeLayer(rows);
  for (const ReportProbeRow& row : rows) {
    if (row.layer != layer || row.tag.empty()) continue;
    Group& group = groups[{row.dataset, row.regime}];
    group.tags.insert(row.tag);
    group.rows[row.ratio][row.press].emplace(row.tag, &row);
    ratios.push_back(row.ratio);
  }
  const std::vector<double> panels = PanelRatios(std::move(ratios));
  int group_order = 0;
  for (const auto& [name, group] : groups) {
    const Radar radar(name.first, name.second, group.tags);
    for (const double panel : panels) {
      TakePanel(radar, group.rows, panel, group_order++, take);
    }
  }
}

}  // namespace kvscope::orchestrator
