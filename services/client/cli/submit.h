// From a sweep file to a submitted sweep: uploads its data sets, then creates it.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "kvscope/v1/orchestrator.grpc.pb.h"
#include "services/orchestrator/sweep/sweep.h"

namespace kvscope::cli {

// How the service is told which directories to open.
struct ModelNames {
  std::string model;
  std::string scoring_tokenizer;  // "model": the model's own
};

// Of an embedded run: each directory as written if that exists (relative to the current directory),
// else relative to the sweep file. Errors: NotFound with the field and both.
absl::StatusOr<ModelNames> LocalNames(const orchestrator::Sweep& sweep,
                                      const std::string& sweep_path);
// Of a run on a cluster, which knows its models by name and not by a path of this machine.
ModelNames ClusterNames(const orchestrator::Sweep& sweep);

// Passages are streamed, never held together. The request id is a hash of all that the sweep
// computes, so that the same file submitted again is the same sweep, and goes on where it stopped.
absl::StatusOr<v1::Sweep> Submit(v1::OrchestratorService::Stub& stub,
                                 const orchestrator::Sweep& sweep, const std::string& sweep_path,
                                 const ModelNames& names);

}  // namespace kvscope::cli
