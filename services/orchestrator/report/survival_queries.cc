#include "services/orchestrator/report/survival_queries.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <tuple>

namespace kvscope::orchestrator {
namespace {

using nlohmann::json;

constexpr int kMaxColumns = 160;
constexpr int kMaxRows = 64;

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

}  // namespace

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

std::string SurvivalTitle(const SurvivalFigure& figure) {
  return "Survival map: " + figure.dataset + " \u00B7 " + figure.regime + " \u00B7 passage " +
         figure.passage_id;
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
              {"columns", (map->tokens.size() + TokensPerColumn(*map) - 1) / TokensPerColumn(*map)},
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
