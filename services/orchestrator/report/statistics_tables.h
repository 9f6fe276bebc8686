// Headlines, findings and the statistics' tables as HTML.
#pragma once

#include <iosfwd>
#include <string>

#include "services/orchestrator/report/statistics_rows.h"

namespace kvscope::orchestrator {

// The headline sentences, then a line a finding, whose numbers unfold; empty where there is
// neither.
std::string FindingsHtml(const ReportStatistics& statistics);

// One folded table a kind of row, of 2,000 lines at most, without those that have none; of probes
// those of the whole probe (WholeProbeLayer).  False, and nothing written, where there are no rows
// at all.
bool WriteStatisticsTables(const ReportStatistics& statistics, std::ostream& out);

}  // namespace kvscope::orchestrator
