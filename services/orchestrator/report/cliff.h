// Where a press breaks: the steepest drop of its F1 over the compression ratio.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "services/orchestrator/report/report.h"

namespace kvscope::orchestrator {

// One press on one data set in one regime.
struct DegradationCurve {
  std::string dataset;
  std::string regime;
  std::string press;
  std::vector<ReportRow> rows;  // ascending ratios, each once
};

// Index i of the curve's row at which the drop from row i - 1 ends.
struct Cliff {
  size_t end;
  double drop;  // F1 lost from row end - 1 to row end
};

// An F1 loss below this over one step of the ratio is no cliff but noise.
inline constexpr double kSmallestCliff = 0.05;
// An F1 this far below the uncompressed one still counts as unharmed.
inline constexpr double kUnharmedDrop = 0.02;

// In order of (data set, regime, press).  Of rows with an equal ratio the first counts.
std::vector<DegradationCurve> Curves(const std::vector<ReportRow>& rows);

// The step with the largest F1 loss by unit of ratio among the steps that lose at least
// kSmallestCliff; of equal ones the first.  Null where no step does.
std::optional<Cliff> FindCliff(const DegradationCurve& curve);

// The row at ratio 0, null where it was not run.
const ReportRow* Uncompressed(const DegradationCurve& curve);

// The largest ratio up to which, at every ratio that was run, F1 stays within kUnharmedDrop of the
// uncompressed F1.  As observed: no confidence bound.  Null without a row at ratio 0.
std::optional<double> UnharmedUpTo(const DegradationCurve& curve);

}  // namespace kvscope::orchestrator
