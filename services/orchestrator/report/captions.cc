#include "services/orchestrator/report/captions.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <optional>
#include <set>

namespace kvscope::orchestrator {
namespace {

constexpr size_t kMostCorrelations = 4;  // the rest stand in the table

std::string Fixed(const std::optional<double>& value) {
  if (!value || !std::isfinite(*value)) return "not defined";
  char text[32];
  std::snprintf(text, sizeof(text), "%.2f", *value);
  return text;
}

std::string WithInterval(const std::optional<double>& value,
                         const std::optional<ReportInterval>& interval) {
  if (!value || !interval) return Fixed(value);
  return Fixed(value) + " (" + Fixed(interval->first) + " to " + Fixed(interval->second) + ")";
}

std::string Correlations(const std::vector<ReportCorrelation>& correlations) {
  std::string text;
  for (size_t i = 0; i < std::min(correlations.size(), kMostCorrelations); ++i) {
    const ReportCorrelation& of = correlations[i];
    text += (text.empty() ? "Correlation over " : "; over ") + of.scope + ": Pearson " +
            WithInterval(of.pearson, of.pearson_interval) + ", Spearman " +
            WithInterval(of.spearman, of.spearman_interval) + ", n = " + std::to_string(of.n);
    if (!of.note.empty()) text += " (" + of.note + ")";
  }
  return text.empty() ? text : text + ".";
}

// How often each label was given, and by which rule.
std::string DepthShapes(const std::vector<ReportDepthShape>& shapes) {
  std::map<std::string, int> counts;
  for (const ReportDepthShape& shape : shapes) ++counts[shape.label];
  std::string text;
  for (const auto& [label, count] : counts) {
    text += (text.empty() ? "Shapes: " : ", ") + label + " " + std::to_string(count);
  }
  if (text.empty()) return text;
  return text + ". " + shapes.front().rule;
}

bool HasIntervals(const ReportInput& input) {
  const auto has = [](const auto& row) { return row.f1_interval.has_value(); };
  return std::any_of(input.rows.begin(), input.rows.end(), has) ||
         std::any_of(input.tag_rows.begin(), input.tag_rows.end(), has);
}

}  // namespace

std::string CaptionNumbers(std::string_view figure, const ReportInput& input) {
  static const std::set<std::string_view> kBands = {
      "f1", "hallucination", "unknown", "ger", "direction", "hop", "answer_type", "question_type"};
  const ReportStatistics& statistics = input.statistics;
  if (kBands.contains(figure) && HasIntervals(input)) {
    return "Bands are 95 % intervals. " + statistics.interval_method;
  }
  if (figure == "ger_hallucination") return Correlations(statistics.correlations);
  if (figure == "susceptibility") return statistics.susceptibility_smoothing;
  if (figure == "comparisons") return statistics.comparison_method;
  if (figure == "consensus_across_layers") return DepthShapes(statistics.depth_shapes);
  return "";
}

}  // namespace kvscope::orchestrator
