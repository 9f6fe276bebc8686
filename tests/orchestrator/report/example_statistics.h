// What a sweep's statistics add to the example.
#pragma once

#include "services/orchestrator/report/report.h"

namespace kvscope::orchestrator {

// Fills every list of `input.statistics`, the tag rows, and the rows' intervals and layers, from
// the rows' own numbers.
void AddStatistics(ReportInput& input);

}  // namespace kvscope::orchestrator
