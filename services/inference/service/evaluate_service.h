// InferenceService over gRPC: a unit at once, outside any sweep. See inference.proto.
#pragma once

#include <atomic>
#include <functional>
#include <utility>

#include "absl/status/status.h"
#include "kvscope/v1/inference.grpc.pb.h"
#include "services/inference/service/unit_runner.h"

namespace kvscope::inference {

class EvaluateService final : public v1::InferenceService::Service {
 public:
  // `threads`: of the computation, 0 for OpenMP's default. `runner` must outlive the service.
  // `device_failed` is called from a call's thread when its device has; may be empty.
  EvaluateService(UnitRunner& runner, int threads,
                  std::function<void(const absl::Status&)> device_failed = nullptr)
      : runner_(runner), threads_(threads), device_failed_(std::move(device_failed)) {}

  grpc::Status Evaluate(grpc::ServerContext* context, const v1::EvaluateRequest* request,
                        grpc::ServerWriter<v1::EvaluateResponse>* writer) override;

 private:
  UnitRunner& runner_;
  const int threads_;
  const std::function<void(const absl::Status&)> device_failed_;
  std::atomic<int> running_ = 0;
};

}  // namespace kvscope::inference
