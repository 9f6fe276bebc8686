// FeatureCleaner: has the metrics service forget the hidden states of units that were deleted.
#pragma once

#include <grpcpp/channel.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "kvscope/v1/metrics.grpc.pb.h"
#include "services/rpc/call_policy.h"

namespace kvscope::orchestrator {

// One call at a time. Thread-safe.
class FeatureCleaner {
 public:
  // `metrics` may be null: then there is nobody who keeps any.
  explicit FeatureCleaner(const std::shared_ptr<grpc::Channel>& metrics);
  ~FeatureCleaner();  // cancels the call that runs, and waits for its `done`

  bool usable() const { return stub_ != nullptr; }

  // Begins the call and returns at once; `done` runs on a thread of gRPC's. Call it when usable()
  // and no other call runs.
  void Forget(const std::vector<std::string>& unit_keys, std::function<void(absl::Status)> done);

 private:
  const std::unique_ptr<v1::MetricsService::Stub> stub_;
  v1::ForgetUnitsRequest request_;
  v1::ForgetUnitsResponse response_;
  absl::Mutex mutex_;
  std::unique_ptr<rpc::UnaryContext> context_ ABSL_GUARDED_BY(mutex_);  // null: no call runs
};

}  // namespace kvscope::orchestrator
