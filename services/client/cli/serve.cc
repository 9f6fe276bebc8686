// kvscope serve: the three services in one process, listening.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <filesystem>
#include <iostream>
#include <memory>

#include "services/client/cli/command.h"
#include "services/client/cli/session.h"
#include "services/embed/cluster.h"
#include "services/rpc/process.h"
#include "services/rpc/security.h"
#include "services/status_macros.h"

namespace kvscope::cli {
namespace {

absl::Status Serve(embed::ClusterOptions options) {
  rpc::BlockSignals();
  std::error_code error;
  const auto parent = std::filesystem::path(options.store).parent_path();
  options.features = (parent / kFeaturesName).string();
  if (!parent.empty()) std::filesystem::create_directories(parent, error);
  options.tell_worker_gone = [] { kill(getpid(), SIGTERM); };  // ends the wait below
  auto started = embed::Cluster::Start(options);
  // A taken port is a failure of ours; "unreachable" is for who dials.
  if (absl::IsUnavailable(started.status())) {
    return absl::FailedPreconditionError(started.status().message());
  }
  KVSCOPE_ASSIGN_OR_RETURN(auto cluster, std::move(started));
  std::cerr << "serving on " << cluster->address() << "; Ctrl-C drains and stops" << std::endl;
  rpc::WaitForSignal();
  std::cerr << "draining" << std::endl;
  cluster->Stop(absl::Seconds(30));
  return cluster->worker_gone();
}

// The words of the services (rpc/flags.h), as far as one process needs them.
void AddSecurity(CLI::App& command, rpc::ServerSecurity& security) {
  security.rate_limit = 500;
  command.add_flag("--insecure", security.insecure, "allow plaintext beyond loopback");
  command.add_option("--tls-cert", security.tls.cert, "PEM FILE of the certificate: TLS")
      ->check(CLI::ExistingFile);
  command.add_option("--tls-key", security.tls.key, "PEM FILE of its private key")
      ->check(CLI::ExistingFile);
  command
      .add_option("--tls-ca", security.tls.ca,
                  "PEM FILE of the roots that clients' certificates must descend from; without it "
                  "clients need none")
      ->check(CLI::ExistingFile);
  command
      .add_option("--token-file", security.token_file,
                  "FILE of the tokens that are accepted (kvscope token new); without it nobody is "
                  "asked for one")
      ->check(CLI::ExistingFile);
}

}  // namespace

void AddServe(CLI::App& app, Action& action) {
  auto options = std::make_shared<embed::ClusterOptions>();
  options->listen = "127.0.0.1:7400";
  options->store = (std::filesystem::path(kDefaultDirectory) / kStoreName).string();
  options->models_dir = "models";
  CLI::App* command = app.add_subcommand("serve", "The three services in one process, listening");
  command->footer(
      "Example:\n  kvscope serve --listen 127.0.0.1:7400 --models-dir models\n"
      "  kvscope run sweeps/pocket.yaml --connect 127.0.0.1:7400");
  command->add_option("--listen", options->listen, "HOST:PORT; port 0 takes a free one")
      ->capture_default_str();
  command->add_option("--store", options->store, "the SQLite file")->capture_default_str();
  command->add_option("--models-dir", options->models_dir, "where sweeps' models are looked up")
      ->capture_default_str();
  command->add_option("--workers", options->workers, "inference workers")
      ->check(CLI::Range(0, 64))
      ->capture_default_str();
  AddSecurity(*command, options->security);
  command->add_flag("--reflection", options->reflection, "offer gRPC reflection");
  command->callback([options, &action] { action = [options] { return Serve(*options); }; });
}

}  // namespace kvscope::cli
