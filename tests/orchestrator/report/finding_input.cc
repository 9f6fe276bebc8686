#include "tests/orchestrator/report/finding_input.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "services/orchestrator/report/findings.h"

namespace kvscope::orchestrator {
namespace {

std::optional<ReportInterval> Around(double value, double half) {
  if (half < 0) return std::nullopt;
  return ReportInterval{std::max(0.0, value - half), std::min(1.0, value + half)};
}

}  // namespace

void AddCurve(const Place& place, const Curve& f1, ReportInput& input, double half,
              const std::vector<double>& ratios) {
  for (const double ratio : ratios) {
    ReportRow row{.dataset = place.dataset,
                  .regime = place.regime,
                  .press = place.press,
                  .ratio = ratio,
                  .answers = 400};
    row.f1 = f1(ratio);
    row.f1_interval = Around(row.f1, half);
    row.ger = ratio;
    row.hallucination_rate = 1 - row.f1;
    input.rows.push_back(row);
  }
}

void AddTagCurve(const Place& place, const std::string& tag, const std::string& value,
                 const Curve& f1, ReportInput& input, double half,
                 const std::vector<double>& ratios) {
  for (const double ratio : ratios) {
    ReportTagRow row{.dataset = place.dataset,
                     .regime = place.regime,
                     .press = place.press,
                     .ratio = ratio,
                     .tag = tag,
                     .value = value,
                     .answers = 200};
    row.f1 = f1(ratio);
    row.f1_interval = Around(row.f1, half);
    input.tag_rows.push_back(row);
  }
}

Curve FallFrom(double top, double from, double to) {
  return [=](double ratio) { return top * std::clamp((to - ratio) / (to - from), 0.0, 1.0); };
}

ReportFinding FindingOf(const ReportInput& input, const std::string& words) {
  std::vector<ReportFinding> found;
  for (const ReportFinding& finding : JudgeFindings(input)) {
    if (finding.claim.find(words) != std::string::npos) found.push_back(finding);
  }
  EXPECT_EQ(found.size(), 1u) << words;
  return found.empty() ? ReportFinding{} : found.front();
}

}  // namespace kvscope::orchestrator
