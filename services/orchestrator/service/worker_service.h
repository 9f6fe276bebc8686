// WorkerService over gRPC: see worker.proto, which is its contract.
#pragma once

#include "kvscope/v1/worker.grpc.pb.h"
#include "services/orchestrator/service/desk.h"

namespace kvscope::orchestrator {

// One message is read at a time and the next only when it has been dealt with: a worker that sends
// faster than results can be written is held back by flow control.
class WorkerService final : public v1::WorkerService::CallbackService {
 public:
  explicit WorkerService(Desk& desk) : desk_(desk) {}  // `desk` must outlive the gRPC server

  grpc::ServerBidiReactor<v1::WorkerMessage, v1::OrchestratorMessage>* Work(
      grpc::CallbackServerContext* context) override;

 private:
  Desk& desk_;
};

}  // namespace kvscope::orchestrator
