// OrchestratorServer: the orchestrator as its process and the embedded cluster see it.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/impl/codegen/service_type.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/orchestrator/schedule/clock.h"
#include "services/orchestrator/schedule/scheduler.h"

namespace kvscope::orchestrator {

struct OrchestratorOptions {
  std::string store;                                 // the SQLite file; made if it does not exist
  ScheduleOptions schedule;                          // leases, heartbeats, attempts
  int64_t max_result_bytes = 256 << 20;              // of one unit, while its parts come in
  Quotas quotas = {};                                // of each user
  std::string models_dir = {};                       // the catalogue; empty: any name may do
  std::shared_ptr<grpc::Channel> metrics = nullptr;  // keeps hidden states, fits probes; null: none
};

// Order of life: Open, a grpc::Server with services(), Drain, the grpc::Server's end, the
// destructor. (A server that is shut down without Drain loses nothing: units are leased anew.)
class OrchestratorServer {
 public:
  // `clock` must outlive the server; null: the system's.
  // Errors: InvalidArgument (a heartbeat not under half of the lease), and those of Store::Open.
  static absl::StatusOr<std::unique_ptr<OrchestratorServer>> Open(
      const OrchestratorOptions& options, const Clock* clock = nullptr);
  ~OrchestratorServer();

  // OrchestratorService and WorkerService; to be registered on one server, which must end first.
  std::vector<grpc::Service*> services();

  // No work is given out any more, mutations are UNAVAILABLE, workers are told to finish and hang
  // up. Returns when they all have (true), or after `timeout` (false): the server may be shut down.
  bool Drain(absl::Duration timeout);

  // Deleted sweeps leave results and hidden states, which go in the background. Returns when there
  // is nothing left that could go now (true), or after `timeout` (false).
  bool AwaitCollected(absl::Duration timeout);

 private:
  struct State;
  explicit OrchestratorServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace kvscope::orchestrator
