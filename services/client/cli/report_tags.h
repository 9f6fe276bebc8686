// A report's scores by tag.
#pragma once

#include "absl/status/status.h"
#include "kvscope/v1/orchestrator.grpc.pb.h"
#include "services/orchestrator/report/report.h"

namespace kvscope::cli {

// Adds `input.tag_rows`: for each tag by itself, at the sweep's ratios, or at kMaxTagRatios of them
// that lie evenly between the first and the last. One pass over all answers at the orchestrator.
inline constexpr int kMaxTagRatios = 12;
absl::Status ReadTagRows(v1::OrchestratorService::Stub& stub, const v1::Sweep& sweep,
                         orchestrator::ReportInput& input);

}  // namespace kvscope::cli
