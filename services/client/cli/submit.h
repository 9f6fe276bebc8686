// From a sweep file to a submitted sweep: uploads its data sets, then creates it.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "kvscope/v1/orchestrator.grpc.pb.h"
#include "services/orchestrator/sweep/sweep.h"

namespace kvscope::cli {

// Passages are streamed, never held together. The request id is a hash of all that the sweep
// computes, so that the same file submitted again is the same sweep, and goes on where it stopped.
// `model` is what the service is to open (see ModelPath).
absl::StatusOr<v1::Sweep> Submit(v1::OrchestratorService::Stub& stub,
                                 const orchestrator::Sweep& sweep, const std::string& sweep_path,
                                 const std::string& model);

// The model directory of an embedded run: as written if that exists (relative to the current
// directory), else relative to the sweep file. Errors: NotFound with both.
absl::StatusOr<std::string> ModelPath(const orchestrator::Sweep& sweep,
                                      const std::string& sweep_path);

}  // namespace kvscope::cli
