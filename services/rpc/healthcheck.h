// `PROGRAM healthcheck [HOST:PORT ...]`: whether a running server serves, as an exit code.
// Container engines and Kubernetes ask this way, so that an image needs neither a shell nor another
// program.
#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "services/rpc/flags.h"

namespace CLI {
class App;
}  // namespace CLI

namespace kvscope::rpc {

// Adds the subcommand to `app`, whose flags are in `flags` (both must outlive the parse). Without
// an address it asks the program's own --listen; a wildcard host there is asked at its loopback.
// The parse then throws CLI::RuntimeError: 0 if every address serves, else 1, told on stderr.
void AddHealthcheck(CLI::App& app, const ServiceFlags& flags);

// Whether argv's first word is the subcommand. What the program requires need not be given then.
bool IsHealthcheck(int argc, char** argv);

// Asks grpc.health.v1.Health/Check about the whole server at `address`, with the certificates in
// `flags`. Errors: InvalidArgument (no address, port 0, no --tls-ca beside --tls-cert), Unavailable
// (no answer in time, not SERVING).
absl::Status CheckHealth(std::string_view address, const ServiceFlags& flags,
                         absl::Duration timeout);

}  // namespace kvscope::rpc
