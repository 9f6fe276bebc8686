// kvscope-metrics: the metrics service as a process of its own.
#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/metrics/service/metrics_service.h"
#include "services/rpc/flags.h"
#include "services/rpc/process.h"
#include "services/rpc/server.h"
#include "services/rpc/telemetry.h"
#include "services/short_waits.h"

int main(int argc, char** argv) {
  using namespace kvscope;      // NOLINT: a main of one screen
  RestartWithShortWaits(argv);  // fitting probes takes threads
  rpc::BlockSignals();
  CLI::App app("Turns survival records into metrics.", "kvscope-metrics");
  rpc::ServiceFlags flags;
  flags.listen = "127.0.0.1:7402";
  std::string store;
  rpc::AddServiceFlags(app, flags);
  app.add_option("--store", store,
                 "DIR, made if it does not exist, for hidden states by unit, on which probes are "
                 "fitted; without it units that capture some are refused");
  app.footer("Example: kvscope-metrics --listen 127.0.0.1:7402 --store metrics-store");
  if (const int code = rpc::ParseFlags(app, argc, argv); code >= 0) return code;
  rpc::SetLogLevel(flags.log_level);

  std::optional<metrics::FeatureStore> features;
  if (!store.empty()) {
    auto opened = metrics::FeatureStore::Open(store);
    if (!opened.ok()) {
      return rpc::Fail(absl::Status(opened.status().code(),
                                    absl::StrCat("--store: ", opened.status().message())));
    }
    features = *std::move(opened);
  }
  metrics::MetricsService service(std::move(features));
  grpc::Service* const services[] = {&service};
  auto server = rpc::Server::Start(flags.Serving(), services);
  if (!server.ok()) return rpc::Fail(server.status());
  return rpc::ServeUntilSignal(flags, server->get(), [](absl::Duration) {});
}
