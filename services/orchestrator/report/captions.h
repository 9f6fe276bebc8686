// What a sweep's own numbers add to its figures' captions.
#pragma once

#include <string>
#include <string_view>

#include "services/orchestrator/report/report.h"

namespace kvscope::orchestrator {

// Sentences, plain text; empty where there is nothing to add.  `figure`: its id.
std::string CaptionNumbers(std::string_view figure, const ReportInput& input);

}  // namespace kvscope::orchestrator
