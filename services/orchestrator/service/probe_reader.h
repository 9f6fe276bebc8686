// ProbeReader: the probes of a sweep, fitted by the metrics service one slice after the other.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "kvscope/v1/metrics.grpc.pb.h"
#include "kvscope/v1/orchestrator.pb.h"
#include "services/orchestrator/service/conversions.h"
#include "services/orchestrator/store/store.h"
#include "services/rpc/call_policy.h"

namespace kvscope::orchestrator {

// Fitting takes seconds to minutes: to be called from a thread that nobody else waits for.
class ProbeReader {
 public:
  // `store` must outlive the reader; `metrics` may be null: then there is nothing to ask.
  // `deadline` is the call's that the rows are for.
  ProbeReader(Store& store, std::shared_ptr<grpc::Channel> metrics, v1::StreamProbesRequest request,
              std::chrono::system_clock::time_point deadline)
      : store_(store),
        metrics_(std::move(metrics)),
        request_(std::move(request)),
        deadline_(deadline) {}
  ~ProbeReader();

  // The next row, in an empty message; false at the end. Errors: as StreamProbes.
  absl::StatusOr<bool> Next(v1::ProbeRow& row);

  // From any thread: Next, now or later, does not wait for the metrics service.
  void Cancel() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using Slice = std::tuple<int, int, std::string>;  // ordinals of model and data set, regime

  absl::Status Open();
  absl::Status FindUnits(int64_t sweep_row);
  absl::Status StartCall() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status EndCall();

  Store& store_;
  const std::shared_ptr<grpc::Channel> metrics_;
  const v1::StreamProbesRequest request_;
  const std::chrono::system_clock::time_point deadline_;
  SweepProtos protos_;
  std::vector<int> ratios_;                          // asked for; empty: all
  std::map<Slice, std::vector<std::string>> units_;  // keys of those not fitted yet
  bool opened_ = false;

  // The slice that is being fitted.
  Slice slice_;
  std::unique_ptr<v1::MetricsService::Stub> stub_;
  absl::Mutex mutex_;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  std::unique_ptr<rpc::StreamContext> context_ ABSL_GUARDED_BY(mutex_);  // outlives its call
  std::unique_ptr<grpc::ClientReader<v1::ProbeFit>> call_;
};

}  // namespace kvscope::orchestrator
