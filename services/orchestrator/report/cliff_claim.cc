// Is there a cliff near ratio 0.9?
#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "services/orchestrator/report/bounds.h"
#include "services/orchestrator/report/claims.h"
#include "services/orchestrator/report/median.h"

namespace kvscope::orchestrator {
namespace {

using Verdict = ReportFinding::Verdict;
using Series = std::map<double, const ReportRow*>;

// How a press's curves break, counted.
struct CliffCounts {
  int curves = 0, near = 0, elsewhere = 0, absent = 0, too_short = 0;
  int peaks = 0, peaks_near = 0;
  std::vector<double> places, lows, highs, peak_places;

  int open() const { return curves - near - elsewhere - absent; }
};

bool Within(double place, double reach) {
  return std::abs(place - kCliffRatio) <= reach + kSameRatio;
}

void CountChangePoint(const ReportChangePoint& point, const Series& series, CliffCounts& counts) {
  if (!point.ratio || !std::isfinite(*point.ratio)) {
    // Without intervals (one passage) nothing could have been found.
    const bool could = series.size() >= kFewestCurvePoints && series.begin()->second->f1_interval;
    counts.absent += could;
    return;
  }
  counts.places.push_back(*point.ratio);
  if (!point.interval || !std::isfinite(point.interval->first + point.interval->second)) return;
  const auto [low, high] = *point.interval;
  counts.lows.push_back(low);
  counts.highs.push_back(high);
  const double slack = kCliffReach + kCliffSlack;
  if (Within(*point.ratio, kCliffReach) && Within(low, slack) && Within(high, slack)) {
    ++counts.near;
  } else if (high < kCliffRatio - kCliffReach - kSameRatio ||
             low > kCliffRatio + kCliffReach + kSameRatio) {
    ++counts.elsewhere;
  }
}

// The ratio where chi is largest, of equal ones the lowest; null with fewer than kFewestRatios
// ratios, or where chi may be 0.
std::optional<double> Peak(const std::vector<const ReportSusceptibilityRow*>& rows) {
  std::map<double, const ReportSusceptibilityRow*> told;
  for (const ReportSusceptibilityRow* row : rows) {
    if (row->chi && std::isfinite(*row->chi)) told.emplace(row->ratio, row);
  }
  const ReportSusceptibilityRow* peak = nullptr;
  for (const auto& [ratio, row] : told) {
    if (!peak || *row->chi > *peak->chi) peak = row;
  }
  if (told.size() < kFewestRatios || *peak->chi <= 0) return std::nullopt;
  if (peak->interval && !(peak->interval->first > 0)) return std::nullopt;
  return peak->ratio;
}

CliffCounts CountCliffs(const ReportInput& input, const SweepModel& model,
                        const std::string& press) {
  const auto points = BySeries(model, input.statistics.change_points);
  const auto susceptibility = BySeries(model, input.statistics.susceptibility);
  CliffCounts counts;
  for (const auto& [key, series] : model.rows) {
    if (key.press != press || (key.regime != "agnostic" && key.regime != "aware")) continue;
    const F1Curve curve = CurveOf(series);
    const auto* full = Nearest(curve, 0);
    if (full && full->second.value < kSmallestF1) continue;  // nothing to lose
    ++counts.curves;
    if (!full || curve.rbegin()->first < kCliffRatio - kSameRatio) {
      ++counts.too_short;
      continue;
    }
    if (const auto point = points.find(key); point != points.end()) {
      CountChangePoint(*point->second.front(), series, counts);
    }
    const auto chi = susceptibility.find(key);
    if (const auto peak = chi == susceptibility.end() ? std::nullopt : Peak(chi->second)) {
      ++counts.peaks;
      counts.peaks_near += Within(*peak, kCliffReach);
      counts.peak_places.push_back(*peak);
    }
  }
  return counts;
}

std::string CountsText(const CliffCounts& counts) {
  std::string text = absl::StrFormat(
      "F1 turns near 0.9 in %d of %d curves, elsewhere in %d, nowhere in %d, "
      "undecided in %d",
      counts.near, counts.curves, counts.elsewhere, counts.absent, counts.open());
  if (!counts.places.empty()) {
    absl::StrAppendFormat(&text, " (median %.2f", Median(counts.places));
    if (!counts.lows.empty()) {
      absl::StrAppendFormat(&text, ", median interval %.2f to %.2f", Median(counts.lows),
                            Median(counts.highs));
    }
    text += ")";
  }
  if (counts.peaks == 0) return text + ", no susceptibility has a peak";
  absl::StrAppendFormat(&text, ", susceptibility peaks near it in %d of %d (median %.2f)",
                        counts.peaks_near, counts.peaks, Median(counts.peak_places));
  return text;
}

ClaimCase JudgePress(const std::string& press, const CliffCounts& counts, bool any_points) {
  if (counts.curves == 0) {
    return {press, Verdict::kNotDecidable,
            absl::StrFormat("no curve starts from an F1 of %.1f or more", kSmallestF1)};
  }
  if (counts.too_short == counts.curves) {
    return {press, Verdict::kNotDecidable,
            "no curve runs from ratio 0 to 0.9; have 0, some ratios between and 0.9 in ratios"};
  }
  if (!any_points) {
    return {press, Verdict::kNotDecidable,
            "no change point was calculated, which takes several ratios and passages"};
  }
  Verdict verdict = Verdict::kNotDecidable;
  if (2 * counts.near > counts.curves && 2 * counts.peaks_near > counts.peaks) {
    verdict = Verdict::kConfirmed;
  } else if (2 * (counts.elsewhere + counts.absent) > counts.curves) {
    verdict = Verdict::kRefuted;
  }
  return {press, verdict, CountsText(counts)};
}

}  // namespace

ReportFinding JudgeCliff(const ReportInput& input, const SweepModel& model) {
  std::vector<ClaimCase> cases;
  for (const std::string& press : model.PaperPresses()) {
    cases.push_back(JudgePress(press, CountCliffs(input, model, press),
                               !input.statistics.change_points.empty()));
  }
  return JudgeCases(
      ClaimOf("There is a cliff near ratio 0.9", model),
      absl::StrFormat("in more than half of a press's curves (data set and regime) F1's change "
                      "point lies within "
                      "%.1f of 0.9, its interval within %.2f, and susceptibility peaks within %.1f "
                      "of it; it fails "
                      "where more than half turn elsewhere (the whole interval) or nowhere",
                      kCliffReach, kCliffReach + kCliffSlack, kCliffReach),
      cases);
}

}  // namespace kvscope::orchestrator
