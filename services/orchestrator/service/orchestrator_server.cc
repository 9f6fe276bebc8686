#include "services/orchestrator/service/orchestrator_server.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "services/orchestrator/service/desk.h"
#include "services/orchestrator/service/orchestrator_metrics.h"
#include "services/orchestrator/service/orchestrator_service.h"
#include "services/orchestrator/service/worker_service.h"
#include "services/status_macros.h"

namespace kvscope::orchestrator {

struct OrchestratorServer::State {
  State(std::unique_ptr<Store> opened, const Clock* clock, const OrchestratorOptions& options)
      : store(std::move(opened)),
        desk(*store, clock == nullptr ? system_clock : *clock,
             {.schedule = options.schedule,
              .max_result_bytes = options.max_result_bytes,
              .quotas = options.quotas,
              .models_dir = options.models_dir,
              .metrics = options.metrics}),
        orchestrator_service(desk, options.metrics) {}

  SystemClock system_clock;
  std::unique_ptr<Store> store;
  Desk desk;
  OrchestratorService orchestrator_service;
  WorkerService worker_service{desk};
};

absl::StatusOr<std::unique_ptr<OrchestratorServer>> OrchestratorServer::Open(
    const OrchestratorOptions& options, const Clock* clock) {
  const ScheduleOptions& schedule = options.schedule;
  const bool sound = schedule.heartbeat_interval > absl::ZeroDuration() &&
                     2 * schedule.heartbeat_interval < schedule.lease_duration;
  if (!sound) {
    return absl::InvalidArgumentError(absl::StrCat(
        "heartbeat: is ", absl::FormatDuration(schedule.heartbeat_interval),
        ", must be under half of the lease's ", absl::FormatDuration(schedule.lease_duration)));
  }
  KVSCOPE_ASSIGN_OR_RETURN(std::unique_ptr<Store> store, Store::Open(options.store));
  store->OnCommit([](absl::Duration took, const absl::Status& status) {
    const OrchestratorMetrics& metrics = OrchestratorMetrics::Get();
    if (status.ok()) metrics.commit_seconds.Observe(took);
    const bool of_store = absl::IsResourceExhausted(status) || absl::IsDataLoss(status) ||
                          absl::IsUnavailable(status) || absl::IsInternal(status);
    if (of_store) metrics.commits_failed.Add();
  });
  return std::unique_ptr<OrchestratorServer>(
      new OrchestratorServer(std::make_unique<State>(std::move(store), clock, options)));
}

OrchestratorServer::OrchestratorServer(std::unique_ptr<State> state) : state_(std::move(state)) {}
OrchestratorServer::~OrchestratorServer() = default;

std::vector<grpc::Service*> OrchestratorServer::services() {
  return {&state_->orchestrator_service, &state_->worker_service};
}

bool OrchestratorServer::Drain(absl::Duration timeout) {
  state_->desk.StartDrain();
  return state_->desk.AwaitWorkersGone(timeout);
}

bool OrchestratorServer::AwaitCollected(absl::Duration timeout) {
  return state_->desk.AwaitCollected(timeout);
}

}  // namespace kvscope::orchestrator
