// From a sweep file to the engine's own grid, for what runs without a cluster: `plan` and `doctor`.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "services/inference/engine/engine.h"
#include "services/inference/engine/evaluate.h"
#include "services/orchestrator/datasets/passage.h"
#include "services/orchestrator/sweep/sweep.h"

namespace kvscope::cli {

// The grid of one regime. Errors: what a press expression is refused for.
absl::StatusOr<inference::Grid> MakeGrid(const orchestrator::Sweep& sweep,
                                         orchestrator::Regime regime);

inference::Passage MakePassage(const orchestrator::Passage& passage);

}  // namespace kvscope::cli
