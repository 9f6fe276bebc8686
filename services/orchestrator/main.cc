// kvscope-orchestrator: sweeps, units, leases and results, as a process of its own.
#include <CLI/CLI.hpp>
#include <string>

#include "services/orchestrator/service/backup_command.h"
#include "services/orchestrator/service/orchestrator_server.h"
#include "services/rpc/channel.h"
#include "services/rpc/flags.h"
#include "services/rpc/process.h"
#include "services/rpc/server.h"
#include "services/rpc/telemetry.h"

int main(int argc, char** argv) {
  using namespace kvscope;  // NOLINT: a main of one screen
  rpc::BlockSignals();
  CLI::App app("Cuts sweeps into units, leases them to workers and keeps what they find.",
               "kvscope-orchestrator");
  rpc::ServiceFlags flags;
  flags.listen = "127.0.0.1:7400";
  std::string store, models_dir, metrics;
  orchestrator::Quotas quotas = {
      .open_sweeps = 100, .open_cells = 1'000'000, .dataset_bytes = int64_t{10} << 30};
  double lease_seconds = 60, heartbeat_seconds = 10;
  int max_attempts = 3;
  rpc::AddServiceFlags(app, flags);
  app.add_option("--store", store, "FILE of SQLite that holds everything; made if it is missing")
      ->required();
  app.add_option("--models-dir", models_dir,
                 "DIR with one folder a model: the catalogue that sweeps choose from; the workers' "
                 "must hold the same. Without it any name is taken, and the workers decide")
      ->check(CLI::ExistingDirectory);
  app.add_option(
      "--metrics", metrics,
      "HOST:PORT of the metrics service, which fits probes; a warning is logged if it does "
      "not answer");
  app.add_option("--lease", lease_seconds,
                 "seconds after which a silent worker's unit is given to another")
      ->check(CLI::Range(0.1, 86400.0))
      ->capture_default_str();
  app.add_option("--heartbeat", heartbeat_seconds,
                 "seconds between a worker's signs of life; under half of --lease")
      ->check(CLI::Range(0.01, 86400.0))
      ->capture_default_str();
  app.add_option("--max-attempts", max_attempts,
                 "times that a unit may fail, or its worker be lost, before it is set aside")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--quota-sweeps", quotas.open_sweeps,
                 "sweeps that a user may have open at a time; 0: any number. Without --token-file "
                 "all callers are one user")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--quota-cells", quotas.open_cells,
                 "cells that a user's open sweeps may have together; 0: any number")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--quota-bytes", quotas.dataset_bytes,
                 "bytes of data sets that a user may have stored; 0: any number")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  orchestrator::AddBackup(app, store);
  app.footer("Example: kvscope-orchestrator --listen 127.0.0.1:7400 --store kvscope.db");
  if (const int code = rpc::ParseFlags(app, argc, argv); code >= 0) return code;

  rpc::SetLogLevel(flags.log_level);
  std::shared_ptr<grpc::Channel> metrics_channel;
  if (!metrics.empty()) {
    auto channel = rpc::Dial(metrics, flags.Dialling());
    if (!channel.ok()) return rpc::Fail(channel.status());
    metrics_channel = *std::move(channel);
  }
  auto orchestrator = orchestrator::OrchestratorServer::Open(
      {.store = store,
       .schedule = {.lease_duration = absl::Seconds(lease_seconds),
                    .heartbeat_interval = absl::Seconds(heartbeat_seconds),
                    .max_attempts = max_attempts},
       .quotas = quotas,
       .models_dir = models_dir,
       .metrics = metrics_channel});
  if (!orchestrator.ok()) return rpc::Fail(orchestrator.status());
  const std::vector<grpc::Service*> services = (*orchestrator)->services();
  auto server = rpc::Server::Start(flags.Serving(), services);
  if (!server.ok()) return rpc::Fail(server.status());
  if (metrics_channel != nullptr &&
      !rpc::WaitForConnected(*metrics_channel, metrics, absl::Seconds(1)).ok()) {
    rpc::Log(rpc::LogLevel::kWarning, "the metrics service does not answer",
             {{"address", metrics}});
  }
  return rpc::ServeUntilSignal(flags, server->get(),
                               [&](absl::Duration timeout) { (*orchestrator)->Drain(timeout); });
}
