#include "services/rpc/process.h"

#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "services/rpc/instruments.h"
#include "services/rpc/telemetry.h"
#include "services/version.h"

namespace kvscope::rpc {
namespace {

sigset_t EndSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}

// Complete or not there: readers wait for the file to appear.
absl::Status WritePortFile(const std::string& path, int port) {
  const std::string partial = path + ".partial";
  std::ofstream(partial) << port << "\n";
  if (std::rename(partial.c_str(), path.c_str()) != 0) {
    return absl::InvalidArgumentError(absl::StrCat("cannot write --port-file ", path));
  }
  return absl::OkStatus();
}

// What is served, in a word.
std::string TransportOf(const ServiceFlags& flags) {
  if (flags.tls.cert.empty()) return "plaintext";
  return flags.tls.ca.empty() || !flags.client_certs ? "TLS" : "mTLS";
}

}  // namespace

void BlockSignals() {
  const sigset_t set = EndSignals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

int WaitForSignal() {
  const sigset_t set = EndSignals();
  int number = 0;
  sigwait(&set, &number);
  std::thread([set] {
    int second = 0;
    sigwait(&set, &second);
    _exit(128 + second);
  }).detach();
  return number;
}

int Fail(const absl::Status& status) {
  const std::string message(status.message().data(), status.message().size());
  std::fprintf(stderr, "error: %s\n", message.c_str());
  return 1;
}

int ServeUntilSignal(const ServiceFlags& flags, Server* server,
                     const std::function<void(absl::Duration timeout)>& drain) {
  std::unique_ptr<MetricsEndpoint> endpoint;
  if (!flags.prometheus.empty()) {
    absl::StatusOr<std::unique_ptr<MetricsEndpoint>> started =
        MetricsEndpoint::Start(flags.prometheus);
    if (!started.ok()) return Fail(started.status());
    endpoint = *std::move(started);
  }
  Log(LogLevel::kInfo, "serving",
      {{"address", server == nullptr ? "" : server->address()},
       {"transport", TransportOf(flags)},
       {"authentication", flags.token_file.empty() ? "none" : "tokens"},
       {"version", std::string(kVersion)}});
  if (!flags.port_file.empty() && server != nullptr) {
    const absl::Status written = WritePortFile(flags.port_file, server->port());
    if (!written.ok()) return Fail(written);
  }
  const int signal = WaitForSignal();
  const absl::Time deadline = absl::Now() + flags.drain_timeout;
  Log(LogLevel::kInfo, "draining", {{"signal", absl::StrCat(signal)}});
  if (server != nullptr) server->StopServing();
  drain(flags.drain_timeout);
  if (server != nullptr) server->Shutdown(std::max(absl::ZeroDuration(), deadline - absl::Now()));
  Log(LogLevel::kInfo, "ended");
  return 0;
}

}  // namespace kvscope::rpc
