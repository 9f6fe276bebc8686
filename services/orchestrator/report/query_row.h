// What the queries' rows are made of.
#pragma once

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "services/orchestrator/report/queries.h"
#include "services/orchestrator/report/statistics_rows.h"

namespace kvscope::orchestrator {

// A number as JSON; null if it is undefined or not finite.
inline nlohmann::json Number(const std::optional<double>& value) {
  return value && std::isfinite(*value) ? nlohmann::json(*value) : nlohmann::json(nullptr);
}

inline nlohmann::json Numbers(const std::vector<double>& values) {
  nlohmann::json list = nlohmann::json::array();
  for (const double value : values) list.push_back(Number(value));
  return list;
}

// Sets `<name>_lo` and `<name>_hi`, or `lo` and `hi` where the name is empty.
inline void SetInterval(const std::string& name, const std::optional<ReportInterval>& interval,
                        nlohmann::json& row) {
  const std::string prefix = name.empty() ? "" : name + "_";
  row[prefix + "lo"] = interval ? Number(interval->first) : nullptr;
  row[prefix + "hi"] = interval ? Number(interval->second) : nullptr;
}

template <typename Row>
nlohmann::json CellKey(const Row& row) {
  return {
      {"dataset", row.dataset}, {"regime", row.regime}, {"press", row.press}, {"ratio", row.ratio}};
}

// The row of a cell that is missing: `row` without its numbers, lists and note, so that a line
// through it has a gap.
inline nlohmann::json Gap(nlohmann::json row) {
  for (auto& [field, value] : row.items()) {
    if (field == "note") {
      value = "";
    } else if (value.is_array()) {
      value.clear();
    } else if (field != "ratio" && !value.is_string()) {
      value = nullptr;
    }
  }
  return row;
}

// Gives the rows by series (data set, regime, press and `part`), with a gap at every ratio that
// another series has; of rows with equal series and ratio the first.  `part(row)` tells a press's
// series apart, `json_of(row)` makes the row.
template <typename Row, typename Part, typename JsonOf>
void TakeSeries(const std::vector<Row>& rows, const Part& part, const JsonOf& json_of,
                const TakeRow& take) {
  using Key = std::tuple<std::string, std::string, std::string, std::string>;
  std::map<Key, std::map<double, const Row*>> series;
  std::set<double> ratios;
  for (const Row& row : rows) {
    series[{row.dataset, row.regime, row.press, part(row)}].emplace(row.ratio, &row);
    ratios.insert(row.ratio);
  }
  for (const auto& [key, by_ratio] : series) {
    for (const double ratio : ratios) {
      if (const auto found = by_ratio.find(ratio); found != by_ratio.end()) {
        take(json_of(*found->second));
      } else {
        Row missing = *by_ratio.begin()->second;
        missing.ratio = ratio;
        take(Gap(json_of(missing)));
      }
    }
  }
}

// Of `ratios`, at most `count` that lie evenly between the first and the last.
inline std::set<double> EvenRatios(const std::set<double>& ratios, size_t count) {
  const std::vector<double> all(ratios.begin(), ratios.end());
  std::set<double> shown;
  const size_t last = all.empty() ? 0 : all.size() - 1;
  const size_t steps = std::min(last, count - 1);
  for (size_t i = 0; !all.empty() && i <= steps; ++i) {
    shown.insert(all[steps == 0 ? 0 : i * last / steps]);
  }
  return shown;
}

}  // namespace kvscope::orchestrator
