// The models that a cluster's sweeps may name: the folders of --models-dir.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kvscope/v1/orchestrator.pb.h"

namespace kvscope::orchestrator {

// Every folder of `models_dir` that holds a config.json, by name; links are followed. Errors:
// FailedPrecondition (`models_dir` is empty), Unavailable (it cannot be read).
absl::StatusOr<v1::ListModelsResponse> ReadCatalog(const std::string& models_dir);

// NotFound, with the names there are, where the spec names a model (or a tokenizer for scores) that
// the catalogue does not have; nothing of the spec is opened as a path. An empty `models_dir`
// allows everything: then the workers' own folders decide.
absl::Status CheckModelNames(const std::string& models_dir, const v1::SweepSpec& spec);

}  // namespace kvscope::orchestrator
