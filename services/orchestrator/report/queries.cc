#include "services/orchestrator/report/queries.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>

namespace kvscope::orchestrator {
namespace {

using nlohmann::json;

constexpr int kMaxColumns = 160;
constexpr int kMaxRows = 64;
constexpr char kUncompressed[] = "uncompressed";

json Nullable(const std::optional<double>& value) { return value ? json(*value) : json(nullptr); }

json Defined(double value) { return std::isnan(value) ? json(nullptr) : json(value); }

std::string Percent(double ratio) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.3g %%", 100 * ratio);
  return text;
}

std::string PanelName(double ratio) { return Percent(ratio) + " removed"; }

json Cell(const ReportRow& row) {
  return {{"dataset", row.dataset},
          {"regime", row.regime},
          {"press", row.press},
          {"ratio", row.ratio},
          {"answers", row.answers},
          {"ger_answers", row.ger_answers},
          {"f1", row.f1},
          {"exact", row.exact},
          {"hallucination_rate", row.hallucination_rate},
          {"unknown_rate", row.unknown_rate},
          {"ger", Nullable(row.ger)},
          {"eviction_rate", row.eviction_rate},
          {"evicted_share", row.evicted_share},
          {"kept_ratio", row.kept_ratio},
          {"consensus_mean", Nullable(row.consensus_mean)}};
}

// A token's text on one line: white space that would not show is spelled out.
std::string Visible(const std::string& token) {
  std::string visible;
  for (const char c : token) {
    if (c == '\n') {
      visible += "\u21B5";
    } else if (c == '\t') {
      visible += "\u21E5";
    } else if (c != '\r') {
      visible += c;
    }
  }
  return visible;
}

bool MatchesItsShape(const ReportSurvivalMap& map) {
  if (map.layers < 1 || map.kv_heads < 1 || map.tokens.empty()) return false;
  if (!map.answer_tokens.empty() && map.answer_tokens.size() != map.tokens.size()) return false;
  const size_t row_bytes = (map.tokens.size() + 7) / 8;
  const size_t rows = map.bits.size() / row_bytes;
  return map.bits.size() % row_bytes == 0 && rows % map.layers == 0 &&
         rows / map.layers == static_cast<size_t>(map.kv_heads);
}

size_t TokensPerColumn(const ReportSurvivalMap& map) {
  return (map.tokens.size() + kMaxColumns - 1) / kMaxColumns;
}

// The share of tokens of each column that heads [first_head, end_head) of a layer keep.
json KeptByColumn(const ReportSurvivalMap& map, int layer, int first_head, int end_head) {
  const size_t tokens = map.tokens.size(), step = TokensPerColumn(map);
  const size_t row_bytes = (tokens + 7) / 8;
  json kept = json::array();
  for (size_t first = 0; first < tokens; first += step) {
    const size_t end = std::min(first + step, tokens);
    int64_t count = 0;
    for (int head = first_head; head < end_head; ++head) {
      const uint8_t* row =
          map.bits.data() + (static_cast<size_t>(layer) * map.kv_heads + head) * row_bytes;
      for (size_t t = first; t < end; ++t) count += (row[t / 8] >> (t % 8)) & 1;
    }
    const double pairs = static_cast<double>((end - first) * (end_head - first_head));
    kept.push_back(std::round(1000.0 * static_cast<double>(count) / pairs) / 1000.0);
  }
  return kept;
}

// The layers of one row in one panel.
void TakeLayers(const ReportRow& row, const std::string& group, double panel, const TakeRow& take) {
  for (size_t layer = 0; layer < row.consensus_layer.size(); ++layer) {
    const bool agreement = layer < row.agreement_layer.size();
    take({{"group", group},
          {"panel", PanelName(panel)},
          {"press", row.ratio == 0 ? kUncompressed : row.press},
          {"ratio", row.ratio},
          {"layer", layer},
          {"answers", row.answers},
          {"consensus", Defined(row.consensus_layer[layer])},
          {"agreement", agreement ? Defined(row.agreement_layer[layer]) : json(nullptr)}});
  }
}

}  // namespace

void CellsQuery(const std::vector<DegradationCurve>& curves, const TakeRow& take) {
  for (const DegradationCurve& curve : curves) {
    for (const ReportRow& row : curve.rows) take(Cell(row));
  }
}

void DegradationQuery(const std::vector<DegradationCurve>& curves, const TakeRow& take) {
  for (const DegradationCurve& curve : curves) {
    const ReportRow* full = Uncompressed(curve);
    if (full == nullptr || full->f1 <= 0) continue;
    const std::optional<Cliff> cliff = FindCliff(curve);
    for (size_t i = 0; i < curve.rows.size(); ++i) {
      const ReportRow& row = curve.rows[i];
      json point = Cell(row);
      point["retained_f1"] = row.f1 / full->f1;
      point["cliff"] = cliff && (i == cliff->end || i + 1 == cliff->end);
      point["cliff_end"] = cliff && i == cliff->end;
      if (point["cliff_end"]) {
        char label[32], text[96];
        std::snprintf(label, sizeof(label), "\u2212%.2f", cliff->drop / full->f1);
        std::snprintf(text, sizeof(text), "F1 %.3f \u2192 %.3f between ratios %.2f and %.2f",
                      curve.rows[i - 1].f1, row.f1, curve.rows[i - 1].ratio, row.ratio);
        point["cliff_label"] = label;
        point["cliff_text"] = text;
      }
      take(point);
    }
  }
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

void ConsensusByLayerQuery(const std::vector<DegradationCurve>& curves, const TakeRow& take) {
  std::vector<double> ratios;
  for (const DegradationCurve& curve : curves) {
    for (const ReportRow& row : curve.rows) {
      if (!row.consensus_layer.empty()) ratios.push_back(row.ratio);
    }
  }
  const std::vector<double> panels = PanelRatios(std::move(ratios));

  std::set<std::string> uncompressed;  // every press has the same: drawn once
  for (const DegradationCurve& curve : curves) {
    const std::string group = curve.dataset + " \u00B7 " + curve.regime;
    for (const ReportRow& row : curve.rows) {
      if (row.consensus_layer.empty()) continue;
      if (row.ratio == 0 && !uncompressed.insert(group).second) continue;
      for (const double panel : panels) {
        if (row.ratio == 0 || row.ratio == panel) TakeLayers(row, group, panel, take);
      }
    }
  }
}

std::vector<SurvivalFigure> SurvivalFigures(const std::vector<ReportSurvivalMap>& maps) {
  using Key = std::tuple<std::string, std::string, std::string>;
  std::map<Key, std::vector<const ReportSurvivalMap*>> by_passage;
  for (const ReportSurvivalMap& map : maps) {
    if (MatchesItsShape(map)) by_passage[{map.dataset, map.passage_id, map.regime}].push_back(&map);
  }
  std::vector<SurvivalFigure> figures;
  for (auto& [key, candidates] : by_passage) {
    std::vector<double> ratios;
    for (const ReportSurvivalMap* map : candidates) ratios.push_back(map->ratio);
    const std::vector<double> panels = PanelRatios(std::move(ratios));
    SurvivalFigure figure{std::get<0>(key), std::get<1>(key), std::get<2>(key), {}};
    for (const ReportSurvivalMap* map : candidates) {
      const ReportSurvivalMap& like = *candidates.front();
      if (std::find(panels.begin(), panels.end(), map->ratio) != panels.end() &&
          map->tokens == like.tokens && map->layers == like.layers &&
          map->kv_heads == like.kv_heads) {
        figure.maps.push_back(map);
      }
    }
    std::stable_sort(figure.maps.begin(), figure.maps.end(), [](const auto* a, const auto* b) {
      return std::tie(a->press, a->ratio) < std::tie(b->press, b->ratio);
    });
    if (!figure.maps.empty()) figures.push_back(std::move(figure));
  }
  return figures;
}

void SurvivalRowsQuery(const SurvivalFigure& figure, const TakeRow& take) {
  for (const ReportSurvivalMap* map : figure.maps) {
    const bool by_layer = int64_t{map->layers} * map->kv_heads > kMaxRows;
    const int heads_in_row = by_layer ? map->kv_heads : 1;
    int row_index = 0;
    for (int layer = 0; layer < map->layers; ++layer) {
      for (int head = 0; head < map->kv_heads; head += heads_in_row) {
        std::string name = "L" + std::to_string(layer);
        if (!by_layer) name += " \u00B7 H" + std::to_string(head);
        take({{"press", map->press},
              {"ratio", map->ratio},
              {"panel", PanelName(map->ratio)},
              {"row", name},
              {"row_index", row_index++},
              {"kept", KeptByColumn(*map, layer, head, head + heads_in_row)}});
      }
    }
  }
}

void SurvivalColumnsQuery(const SurvivalFigure& figure, const TakeRow& take) {
  const ReportSurvivalMap& map = *figure.maps.front();
  const size_t step = TokensPerColumn(map);
  int column = 0;
  for (size_t first = 0; first < map.tokens.size(); first += step) {
    const size_t end = std::min(first + step, map.tokens.size());
    std::string text;
    bool answer = false;
    for (size_t t = first; t < end; ++t) {
      text += Visible(map.tokens[t]);
      answer = answer || (!map.answer_tokens.empty() && map.answer_tokens[t]);
    }
    take(
        {{"column", column++}, {"first", first}, {"end", end}, {"text", text}, {"answer", answer}});
  }
}

}  // namespace kvscope::orchestrator
