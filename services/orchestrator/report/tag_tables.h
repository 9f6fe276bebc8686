// F1 by the questions' tags (direction, answer type, question type, hop) as HTML.
#pragma once

#include <string>
#include <vector>

#include "services/orchestrator/report/report.h"

namespace kvscope::orchestrator {

// One table a data set and regime: a line for each tag's value and press, a column for each ratio;
// hallucinations and abstentions stand in a cell's title. Tags with one value in the data set tell
// nothing apart and are left out; empty if none is left. Rows may come in any order.
std::string TagsHtml(const std::vector<ReportTagRow>& rows);

}  // namespace kvscope::orchestrator
