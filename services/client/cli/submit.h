// From a sweep file to a submitted sweep: uploads its data sets, then creates it.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "kvscope/v1/orchestrator.grpc.pb.h"
#include "services/orchestrator/sweep/sweep.h"

namespace CLI {
class App;
}

namespace kvscope::cli {

// `--model DIR`, once or more often: to be run instead of the sweep file's own models.
void AddModelOption(CLI::App& command, std::vector<std::string>& models);
// The sweep file, with `models` for its own where there are any. Errors: those of the file.
absl::StatusOr<orchestrator::Sweep> LoadSweep(const std::string& path,
                                              const std::vector<std::string>& models);

// "model", or, of a sweep with several, "model[1]".
std::string ModelField(const orchestrator::Sweep& sweep, size_t ordinal);

// How the service is told which directories to open.
struct ModelNames {
  std::vector<std::string> models;  // in the sweep's order
  std::string scoring_tokenizer;    // "model": the model's own
};

// Of an embedded run: each directory as written if that exists (relative to the current directory),
// else relative to the sweep file. Errors: NotFound with the field and both, InvalidArgument if two
// models are one directory.
absl::StatusOr<ModelNames> LocalNames(const orchestrator::Sweep& sweep,
                                      const std::string& sweep_path);
// Of a run on a cluster, which knows its models by name and not by a path of this machine: the last
// parts of the paths. Errors: InvalidArgument if two are the same.
absl::StatusOr<ModelNames> ClusterNames(const orchestrator::Sweep& sweep,
                                        const std::string& sweep_path);

// Passages are streamed, never held together. The request id is a hash of all that the sweep
// computes, so that the same file submitted again is the same sweep, and goes on where it stopped.
absl::StatusOr<v1::Sweep> Submit(v1::OrchestratorService::Stub& stub,
                                 const orchestrator::Sweep& sweep, const std::string& sweep_path,
                                 const ModelNames& names, int priority = 0);

}  // namespace kvscope::cli
