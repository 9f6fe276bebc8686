// Do hallucinations go with evicted answers?
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "services/orchestrator/report/bounds.h"
#include "services/orchestrator/report/claims.h"

namespace kvscope::orchestrator {
namespace {

using Verdict = ReportFinding::Verdict;

struct CellCorrelation {
  size_t cells = 0;
  std::optional<double> pearson;  // null with fewer than kFewestCells, or where one does not vary
};

// Over the cells of the paper's arms.
CellCorrelation CorrelateCells(const std::vector<SweepModel>& models) {
  std::vector<std::pair<double, double>> points;
  for (const SweepModel& model : models) {
    for (const auto& [key, series] : model.rows) {
      if (!IsPaperPress(key.press) || (key.regime != "agnostic" && key.regime != "aware")) continue;
      for (const auto& [ratio, row] : series) {
        const bool told =
            row->ger && std::isfinite(*row->ger) && std::isfinite(row->hallucination_rate);
        if (told) points.emplace_back(*row->ger, row->hallucination_rate);
      }
    }
  }
  CellCorrelation result{points.size(), std::nullopt};
  if (points.size() < kFewestCells) return result;
  double x_mean = 0, y_mean = 0;
  for (const auto& [x, y] : points) {
    x_mean += x / static_cast<double>(points.size());
    y_mean += y / static_cast<double>(points.size());
  }
  double xx = 0, yy = 0, xy = 0;
  for (const auto& [x, y] : points) {
    xx += (x - x_mean) * (x - x_mean);
    yy += (y - y_mean) * (y - y_mean);
    xy += (x - x_mean) * (y - y_mean);
  }
  constexpr double kNoSpread = 1e-18;  // equal numbers differ by rounding alone
  if (xx > kNoSpread && yy > kNoSpread) result.pearson = xy / std::sqrt(xx * yy);
  return result;
}

// The correlation over all cells of that model; null where scopes are of more or of less.
const ReportCorrelation* ScopeOf(const ReportInput& input, const std::string& name) {
  for (const ReportCorrelation& correlation : input.statistics.correlations) {
    if (correlation.scope == name) return &correlation;
    if (correlation.scope == absl::StrCat("all cells \u00B7 ", name)) return &correlation;
  }
  return nullptr;
}

bool IsFinite(const std::optional<ReportInterval>& interval) {
  return interval && std::isfinite(interval->first) && std::isfinite(interval->second);
}

std::string CoefficientText(const char* name, const std::optional<double>& value,
                            const std::optional<ReportInterval>& interval) {
  if (!value || !std::isfinite(*value)) return "";
  if (!IsFinite(interval)) return absl::StrFormat(", %s %.2f (no interval)", name, *value);
  return absl::StrFormat(", %s %.2f (%.2f to %.2f)", name, *value, interval->first,
                         interval->second);
}

ReportFinding JudgeScope(const std::string& claim, const ReportCorrelation* correlation,
                         const CellCorrelation& cells) {
  const std::string rule = absl::StrFormat(
      "Pearson's and Spearman's intervals lie above 0, and Pearson's coefficient is %.1f or more, "
      "also "
      "over the cells of the paper's presses alone; it fails where an interval lies below 0",
      kSmallestCorrelation);
  if (!correlation || !correlation->pearson || !std::isfinite(*correlation->pearson)) {
    std::string why = "no correlation was calculated";
    if (correlation && !correlation->note.empty())
      absl::StrAppend(&why, " (", correlation->note, ")");
    return Undecided(claim, rule,
                     absl::StrCat(why,
                                  "; it takes several ratios, and gold answers that stand in "
                                  "their passages"));
  }
  const std::optional<ReportInterval>& pearson = correlation->pearson_interval;
  const std::optional<ReportInterval>& spearman = correlation->spearman_interval;
  std::string numbers = absl::StrCat(
      "Over ", correlation->scope.empty() ? "all cells" : correlation->scope, " (", correlation->n,
      " points)", CoefficientText("Pearson", correlation->pearson, pearson),
      CoefficientText("Spearman", correlation->spearman, spearman));
  if (cells.pearson) {
    absl::StrAppendFormat(&numbers, "; over the %d cells of the paper's presses Pearson %.2f",
                          cells.cells, *cells.pearson);
  } else {
    absl::StrAppendFormat(&numbers,
                          "; of the paper's presses %d cells have a GER, too few or too equal to "
                          "tell (have %s in presses)",
                          cells.cells, kPaperPressesText);
  }
  const bool above =
      IsFinite(pearson) && pearson->first > 0 && (!IsFinite(spearman) || spearman->first > 0);
  const bool below =
      (IsFinite(pearson) && pearson->second < 0) || (IsFinite(spearman) && spearman->second < 0);
  const bool strong = *correlation->pearson >= kSmallestCorrelation && cells.pearson &&
                      *cells.pearson >= kSmallestCorrelation;
  Verdict verdict = Verdict::kNotDecidable;
  if (above && strong) verdict = Verdict::kConfirmed;
  if (below) verdict = Verdict::kRefuted;
  return {claim, verdict, absl::StrCat("Rule: ", rule, ". ", numbers, ".")};
}

}  // namespace

std::vector<ReportFinding> JudgeCorrelation(const ReportInput& input,
                                            const std::vector<SweepModel>& models) {
  const std::string claim = "Hallucinations go with evicted answers (GER)";
  const auto& correlations = input.statistics.correlations;
  std::vector<ReportFinding> findings;
  for (const SweepModel& model : models) {
    const ReportCorrelation* own = ScopeOf(input, model.name);
    if (!own) break;
    findings.push_back(JudgeScope(ClaimOf(claim, model), own, CorrelateCells({model})));
  }
  if (!models.empty() && findings.size() == models.size()) return findings;
  const std::string of = models.size() == 1 ? ClaimOf(claim, models[0]) : claim;
  return {JudgeScope(of, correlations.empty() ? nullptr : &correlations.front(),
                     CorrelateCells(models))};
}

}  // namespace kvscope::orchestrator
