// The report of a sweep, from what the orchestrator has.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "kvscope/v1/orchestrator.grpc.pb.h"

namespace kvscope::cli {

// One self-contained HTML page. `cells`: all cells of the sweep (FetchCells).
absl::StatusOr<std::string> RenderSweepReport(v1::OrchestratorService::Stub& stub,
                                              const v1::Sweep& sweep,
                                              const std::vector<v1::Cell>& cells);

}  // namespace kvscope::cli
