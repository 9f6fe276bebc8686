// kvscope-inference: a worker, and the inference service, as a process of its own.
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <string>

#include "services/inference/service/engine_cache.h"
#include "services/inference/service/evaluate_service.h"
#include "services/inference/service/inference_metrics.h"
#include "services/inference/service/unit_runner.h"
#include "services/inference/service/worker.h"
#include "services/rpc/channel.h"
#include "services/rpc/flags.h"
#include "services/rpc/process.h"
#include "services/rpc/server.h"
#include "services/rpc/telemetry.h"
#include "services/short_waits.h"

namespace {

constexpr int kDeviceFailed = 3;  // exit code: whoever started the process may start it again

}  // namespace

int main(int argc, char** argv) {
  using namespace kvscope;  // NOLINT: a main of one screen
  RestartWithShortWaits(argv);
  rpc::BlockSignals();
  CLI::App app("Computes what the orchestrator leases to it.", "kvscope-inference");
  rpc::ServiceFlags flags;
  std::string orchestrator = "127.0.0.1:7400", metrics = "127.0.0.1:7402", models_dir;
  std::string device = "auto";
  int threads = 0;
  rpc::AddServiceFlags(app, flags);
  app.add_option("--orchestrator", orchestrator, "HOST:PORT to take work from")
      ->capture_default_str();
  app.add_option("--metrics", metrics, "HOST:PORT of the metrics service")->capture_default_str();
  app.add_option("--models-dir", models_dir, "DIR with one folder a model")
      ->check(CLI::ExistingDirectory)
      ->required();
  app.add_option("--device", device,
                 "the one device to offer: cpu, cuda, cuda:N; or auto: all that work here")
      ->capture_default_str();
  app.add_option("--threads", threads, "threads of a computation; 0: one a core")
      ->check(CLI::Range(0, 4096));
  app.footer(
      "Example: kvscope-inference --orchestrator 127.0.0.1:7400 --models-dir models\n"
      "With several GPUs: a process each, --device cuda:0, --device cuda:1, ...\n"
      "Ends with 3 when the device has failed; start it again then.");
  if (const int code = rpc::ParseFlags(app, argc, argv); code >= 0) return code;
  rpc::SetLogLevel(flags.log_level);

  const auto devices = inference::OfferedDevices(device);
  if (!devices.ok()) return rpc::Fail(devices.status());
  const auto to_orchestrator = rpc::Dial(orchestrator, flags.Dialling());
  if (!to_orchestrator.ok()) return rpc::Fail(to_orchestrator.status());
  const auto to_metrics = rpc::Dial(metrics, flags.Dialling());
  if (!to_metrics.ok()) return rpc::Fail(to_metrics.status());

  if (!flags.prometheus.empty()) {
    const absl::Status measured =
        inference::InferenceMetrics::Get().MeasurePeaks(devices->front(), threads);
    if (!measured.ok()) return rpc::Fail(measured);
  }
  inference::EngineCache cache(models_dir);
  inference::UnitRunner runner(cache, *to_metrics, devices->front());
  std::atomic<int> failure = 0;  // the exit code of a process that is of no use any more
  const auto end = [&failure](const absl::Status& why) {
    const int code = absl::IsAborted(why) ? kDeviceFailed : 1;
    // Ends the wait below. A second signal would end the process at once.
    if (failure.exchange(code) == 0) kill(getpid(), SIGTERM);
  };
  inference::EvaluateService service(runner, threads, end);
  grpc::Service* const services[] = {&service};
  auto server = rpc::Server::Start(flags.Serving(), services);
  if (!server.ok()) return rpc::Fail(server.status());

  inference::Worker worker(
      *to_orchestrator, runner,
      {.worker_id = inference::NewWorkerId(), .devices = *devices, .threads = threads}, end);
  const int code = rpc::ServeUntilSignal(
      flags, server->get(), [&worker](absl::Duration timeout) { worker.Drain(timeout); });
  return failure != 0 ? failure.load() : code;
}
