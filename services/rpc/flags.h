// The words that all our servers understand, and where they come from: a flag beats an environment
// variable KVSCOPE_<FLAG>, which beats --config FILE (YAML, the same words).
#pragma once

#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "services/rpc/security.h"
#include "services/rpc/server.h"
#include "services/rpc/telemetry.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace kvscope::rpc {

struct ServiceFlags {
  std::string listen;        // --listen HOST:PORT
  std::string prometheus;    // --prometheus HOST:PORT; empty: no endpoint
  std::string port_file;     // --port-file FILE: the bound port is written there once it serves
  bool insecure = false;     // --insecure: plaintext beyond loopback
  bool reflection = false;   // --reflection
  TlsFiles tls;              // --tls-cert, --tls-key, --tls-ca: of what is served and dialled
  bool client_certs = true;  // --tls-client-auth required | none
  std::string token_file;    // --token-file: tokens that are accepted
  std::string client_token_file;                     // --client-token-file: the token that is shown
  int rate_limit = 500;                              // --rate-limit
  LogLevel log_level = LogLevel::kInfo;              // --log-level
  absl::Duration drain_timeout = absl::Seconds(30);  // --drain-timeout, in seconds

  ServerOptions Serving() const;    // for Server::Start
  ClientSecurity Dialling() const;  // for Dial
};

// Adds the options above to `app`, with --version, --config and the subcommand `healthcheck`.
// `flags` must outlive the parse; what it holds is the default.
void AddServiceFlags(CLI::App& app, ServiceFlags& flags);

// Reads flags, environment and file; every option of `app` gets its variable. Returns -1 to go on,
// else the exit code: 0 after --help or --version, 2 after a usage error told on stderr, 0 or 1
// after `healthcheck`.
int ParseFlags(CLI::App& app, int argc, char** argv);

}  // namespace kvscope::rpc
