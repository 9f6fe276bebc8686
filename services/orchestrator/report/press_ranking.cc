#include "services/orchestrator/report/press_ranking.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>
#include <utility>

#include "services/orchestrator/report/bounds.h"

namespace kvscope::orchestrator {
namespace {

bool Inside(double ratio, double from, double to) {
  return ratio >= from - kSameRatio && ratio <= to + kSameRatio;
}

struct SignedTest {
  const ReportComparison* comparison;
  double sign;
  double difference() const { return sign * *comparison->difference; }
};

// 1 better, -1 worse, 0 undecided.
int Outcome(const SignedTest& test, double significant) {
  const ReportComparison& comparison = *test.comparison;
  const std::optional<double>& p = comparison.p_corrected ? comparison.p_corrected : comparison.p;
  if (!p || !(*p <= significant)) return 0;
  if (comparison.interval && comparison.interval->first <= 0 && comparison.interval->second >= 0) {
    return 0;
  }
  return (test.difference() > 0) - (test.difference() < 0);
}

}  // namespace

PressRanking RankPresses(const std::vector<ReportRow>& rows, std::span<const std::string> presses,
                         double from, double to) {
  using CellKey = std::tuple<std::string, std::string, double>;
  std::map<CellKey, std::map<std::string, double>> cells;
  for (const ReportRow& row : rows) {
    const bool asked = std::find(presses.begin(), presses.end(), row.press) != presses.end();
    if (!asked || !Inside(row.ratio, from, to) || !std::isfinite(row.f1)) continue;
    cells[{row.dataset, row.regime, row.ratio}].emplace(row.press, row.f1);
  }
  PressRanking ranking;
  std::map<std::string, double> sums;
  for (const auto& [key, by_press] : cells) {
    if (by_press.size() < presses.size()) continue;
    const double ratio = std::get<2>(key);
    ranking.first_ratio = ranking.cells == 0 ? ratio : std::min(ranking.first_ratio, ratio);
    ranking.last_ratio = ranking.cells == 0 ? ratio : std::max(ranking.last_ratio, ratio);
    ++ranking.cells;
    for (const auto& [press, f1] : by_press) sums[press] += f1;
  }
  for (const auto& [press, sum] : sums) {
    ranking.presses.push_back({press, sum / static_cast<double>(ranking.cells)});
  }
  std::stable_sort(ranking.presses.begin(), ranking.presses.end(),
                   [](const auto& a, const auto& b) { return a.mean_f1 > b.mean_f1; });
  return ranking;
}

PairTests CountTests(const std::vector<ReportComparison>& comparisons, const std::string& press,
                     const std::string& against, double from, double to, double significant) {
  std::vector<SignedTest> tests;
  PairTests counts;
  for (const ReportComparison& one : comparisons) {
    const bool forward = one.press == press && one.against == against;
    const bool backward = one.press == against && one.against == press;
    if ((!forward && !backward) || !Inside(one.ratio, from, to)) continue;
    if (!one.difference || !std::isfinite(*one.difference)) continue;
    const bool pooled = one.dataset.empty() && one.regime.empty();
    if (pooled && !counts.pooled) tests.clear();  // what came before is part of it
    counts.pooled |= pooled;
    if (pooled || !counts.pooled) tests.push_back({&one, forward ? 1.0 : -1.0});
  }
  if (tests.empty()) return counts;
  for (const SignedTest& test : tests) {
    const int outcome = Outcome(test, significant);
    ++(outcome > 0 ? counts.better : outcome < 0 ? counts.worse : counts.undecided);
  }
  std::stable_sort(tests.begin(), tests.end(), [](const SignedTest& a, const SignedTest& b) {
    return a.difference() < b.difference();
  });
  const SignedTest& median = tests[tests.size() / 2];
  counts.typical = median.comparison;
  counts.sign = median.sign;
  return counts;
}

}  // namespace kvscope::orchestrator
