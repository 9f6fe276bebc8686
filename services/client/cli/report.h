// What a sweep's report says, from what the orchestrator has.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "kvscope/v1/orchestrator.grpc.pb.h"
#include "services/orchestrator/report/report.h"

namespace kvscope::cli {

// `cells`: all cells of the sweep (FetchCells).
absl::StatusOr<orchestrator::ReportInput> ReadReport(v1::OrchestratorService::Stub& stub,
                                                     const v1::Sweep& sweep,
                                                     const std::vector<v1::Cell>& cells);

}  // namespace kvscope::cli
