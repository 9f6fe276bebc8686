// SimulatedWorker: a worker that computes nothing, over a real gRPC stream of its own.
#pragma once

#include <grpcpp/client_context.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "kvscope/v1/worker.grpc.pb.h"
#include "tests/bench/orchestrator/sweep_grid.h"

namespace kvscope::bench {

// What one worker saw. `dispatch`: from Ready to the lease, but for the first lease, which waits
// for the sweep as well.
struct WorkerLog {
  std::vector<absl::Duration> dispatch;
  std::vector<absl::Duration> ack;  // from the result's last part to its acknowledgement
  std::vector<std::string> accepted_keys;
  std::vector<std::string> errors;
};

// Checks and units are answered at once, or after `think`. Thread-safe only where it says so.
class SimulatedWorker {
 public:
  // A connection of its own to `address`. `grid` must outlive the worker.
  SimulatedWorker(const std::string& address, const std::string& name, const SweepGrid& grid,
                  absl::Duration think);

  // Works until the stream ends.
  WorkerLog Work();
  // From any thread: ends the stream, and with it Work, which counts this as no error.
  void Stop();

 private:
  void SendReady();
  void TakeCheckPart(const v1::CheckPart& part);
  void TakeLease(const v1::Lease& lease);
  void Send(const v1::WorkerMessage& message, const char* what);

  const SweepGrid& grid_;
  const absl::Duration think_;
  const std::string name_;
  std::unique_ptr<v1::WorkerService::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::WorkerMessage, v1::OrchestratorMessage>> stream_;
  WorkerLog log_;
  v1::CheckReply check_;
  bool leased_ = false;
  absl::Time ready_at_;
  absl::Time sent_at_;
};

}  // namespace kvscope::bench
