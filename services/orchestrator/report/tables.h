// The report's tables as HTML.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "services/orchestrator/report/cliff.h"
#include "services/orchestrator/report/report.h"

namespace kvscope::orchestrator {

// What was run: one line a key.
std::string ProvenanceHtml(const std::vector<std::pair<std::string, std::string>>& provenance);

// One line a press: F1 uncompressed, up to which ratio it stays unharmed, its cliff.
std::string SummaryHtml(const std::vector<DegradationCurve>& curves);

// Every cell, in one table a data set and regime.
std::string ResultsHtml(const std::vector<DegradationCurve>& curves);

}  // namespace kvscope::orchestrator
