// What a sweep says, in a few sentences.
#pragma once

#include <string>
#include <vector>

#include "services/orchestrator/report/report.h"

namespace kvscope::orchestrator {

// At most kMostHeadlines plain-text sentences or pairs of them, in this order: for each press (the
// best kMostCliffs, random ones left out) whether there is a cliff and where; which press is best,
// by mean F1 over the cells from kHarshFrom to kHarshTo that all presses have, with the paired
// tests; whether it is better than random; which tags are fragile (tag_contrast.h); how much of the
// failures is erasure and how much rigidity.  Over all models and data sets.  What cannot be said
// is said so, with what it takes; of a sweep without rows, one sentence.  Headlines and findings
// already in `input.statistics` are not looked at.
std::vector<std::string> Headlines(const ReportInput& input);

inline constexpr size_t kMostHeadlines = 8;
inline constexpr size_t kMostCliffs = 3;
inline constexpr size_t kMostFragileTags = 3;
// The ratios at which presses are told apart.
inline constexpr double kHarshFrom = 0.5;
inline constexpr double kHarshTo = 0.9;
// A corrected p up to this tells two presses apart.
inline constexpr double kSignificant = 0.05;

}  // namespace kvscope::orchestrator
