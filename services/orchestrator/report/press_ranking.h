// Which press is better: means over the cells that all have, and the paired tests counted.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "services/orchestrator/report/report.h"

namespace kvscope::orchestrator {

struct RankedPress {
  std::string press;
  double mean_f1;
};

struct PressRanking {
  std::vector<RankedPress> presses;  // best first; of equal ones by name
  size_t cells = 0;                  // (data set, regime, ratio) that all presses have
  double first_ratio = 0, last_ratio = 0;
};

// Means of F1 over the cells with a ratio in [from, to] that every one of `presses` has; no presses
// where there is no such cell.
PressRanking RankPresses(const std::vector<ReportRow>& rows, std::span<const std::string> presses,
                         double from, double to);

// The comparisons of two presses at ratios in [from, to], as seen from `press`: those over all data
// sets and regimes where there are some, else all.
struct PairTests {
  size_t better = 0, worse = 0, undecided = 0;
  const ReportComparison* typical = nullptr;  // the one with the median difference
  double sign = 1;                            // of `typical`'s difference, as seen from `press`
  bool pooled = false;                        // over all data sets and regimes

  size_t count() const { return better + worse + undecided; }
};

// Better and worse: the p, corrected where it is, is at most `significant`, and the interval, where
// there is one, does not cover 0.
PairTests CountTests(const std::vector<ReportComparison>& comparisons, const std::string& press,
                     const std::string& against, double from, double to, double significant);

}  // namespace kvscope::orchestrator
