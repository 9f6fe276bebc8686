// Cells of the report's tables as HTML.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>

#include "services/orchestrator/report/html.h"
#include "services/orchestrator/report/statistics_rows.h"

namespace kvscope::orchestrator {

inline constexpr char kNoneCell[] = "<td class=\"none\" title=\"not defined\">\u2013</td>";

inline std::string Fixed(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof(text), "%.*f", digits, value);
  return text;
}

inline std::string NumberCell(const std::optional<double>& value, int digits = 3) {
  if (!value || !std::isfinite(*value)) return kNoneCell;
  return "<td>" + Fixed(*value, digits) + "</td>";
}

inline std::string CountCell(int64_t count) { return "<td>" + std::to_string(count) + "</td>"; }

// A number with its interval beside it.
inline std::string NumberCell(const std::optional<double>& value,
                              const std::optional<ReportInterval>& interval, int digits = 3) {
  if (!value || !std::isfinite(*value) || !interval) return NumberCell(value, digits);
  return "<td>" + Fixed(*value, digits) + " <small>" + Fixed(interval->first, digits) + " to " +
         Fixed(interval->second, digits) + "</small></td>";
}

inline std::string TextCell(const std::string& text) {
  return "<td class=\"text\">" + EscapeHtml(text) + "</td>";
}

inline std::string PressCell(const std::string& press) {
  return "<td class=\"text\"><code>" + EscapeHtml(press) + "</code></td>";
}

}  // namespace kvscope::orchestrator
