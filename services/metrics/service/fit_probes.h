// FitProbes without its transport: units in, one message a cell and layer out.
#pragma once

#include <functional>

#include "absl/status/status.h"
#include "kvscope/v1/metrics.pb.h"
#include "services/metrics/probe/feature_store.h"

namespace kvscope::metrics {

struct FitHooks {
  std::function<absl::Status(const v1::ProbeFit&)> emit;  // its error ends the fitting
  std::function<bool()> cancelled;                        // asked before every fit
};

// By cell, then layer, all layers together last. `store` may be null: FailedPrecondition. Errors:
// as MetricsService.FitProbes, Cancelled.
absl::Status FitProbes(const FeatureStore* store, const v1::FitProbesRequest& request,
                       const FitHooks& hooks);

}  // namespace kvscope::metrics
