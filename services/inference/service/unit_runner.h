// UnitRunner: computes units: opens the model, evaluates passage by passage, has each measured and
// hands on its results. What a lease and InferenceService.Evaluate both run.
#pragma once

#include <grpcpp/channel.h>

#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "kvscope/v1/inference.pb.h"
#include "kvscope/v1/metrics.grpc.pb.h"
#include "services/inference/service/cancellation.h"
#include "services/inference/service/engine_cache.h"

namespace kvscope::inference {

struct UnitHooks {
  // Gets the results in the order that ResultChunk asks for, each chunk at most 1 MiB but for a
  // single heat map. Its error ends the run.
  std::function<absl::Status(v1::ResultChunk&&)> emit;
  std::function<void(int64_t streams)> streams_done = nullptr;  // since the last call
  std::function<bool()> cancelled = nullptr;  // polled: true stops the run as a Cancellation does
};

class UnitRunner {
 public:
  // `device` is what "auto", and its own kind, mean here: "cuda:1" for a unit of "cuda". `cache`
  // must outlive the runner.
  UnitRunner(EngineCache& cache, const std::shared_ptr<grpc::Channel>& metrics, std::string device)
      : cache_(cache), metrics_(v1::MetricsService::NewStub(metrics)), device_(std::move(device)) {}

  // Holds one passage's results at a time.
  // Errors: InvalidArgument (the unit would fail anywhere; names the field or the passage),
  // NotFound (no such model here), FailedPrecondition (its weights or tokenizers differ from the
  // unit's),
  // Unavailable (the metrics service does not answer), Cancelled, ResourceExhausted and Aborted as
  // EvaluatePassage.
  absl::Status Run(const v1::Unit& unit, const UnitHooks& hooks, Cancellation& cancellation);

  EngineCache& cache() const { return cache_; }
  const std::string& device() const { return device_; }

 private:
  EngineCache& cache_;
  std::unique_ptr<v1::MetricsService::Stub> metrics_;
  const std::string device_;
};

}  // namespace kvscope::inference
