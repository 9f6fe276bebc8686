// Sweeps made by hand for the claims: flat numbers unless a test says otherwise.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "services/orchestrator/report/report.h"

namespace kvscope::orchestrator {

inline constexpr char kChunk[] = "chunk(expected_attention, chunk_length=64)";
inline constexpr char kAdaKv[] = "adakv(expected_attention)";
inline const std::vector<double> kTestRatios = {0,   0.1, 0.2, 0.3, 0.4, 0.5,
                                                0.6, 0.7, 0.8, 0.9, 0.95};

using Curve = std::function<double(double ratio)>;

// Where a curve's rows stand.
struct Place {
  std::string dataset;
  std::string regime = "agnostic";
  std::string press = kChunk;
};

// A row for each ratio with F1 `f1(ratio)` +- `half`, of 400 answers; a negative `half`: no
// interval.
void AddCurve(const Place& place, const Curve& f1, ReportInput& input, double half = 0.02,
              const std::vector<double>& ratios = kTestRatios);
// The same of questions with a tag.
void AddTagCurve(const Place& place, const std::string& tag, const std::string& value,
                 const Curve& f1, ReportInput& input, double half = 0.02,
                 const std::vector<double>& ratios = kTestRatios);

// From `top` straight down to 0, between the ratios `from` and `to`.
Curve FallFrom(double top, double from, double to);

// The only finding whose claim contains `words`; a test failure otherwise.
ReportFinding FindingOf(const ReportInput& input, const std::string& words);

}  // namespace kvscope::orchestrator
