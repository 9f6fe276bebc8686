#include "services/client/cli/session.h"

#include <openssl/rand.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "services/embed/cluster.h"
#include "services/rpc/channel.h"
#include "services/rpc/telemetry.h"
#include "services/status_macros.h"

namespace kvscope::cli {

namespace fs = std::filesystem;

namespace {

// How a cluster is reached; what does not change between commands may stand in the environment.
void AddSecurityOptions(CLI::App& command, rpc::ClientSecurity& security) {
  command
      .add_option("--tls-ca", security.tls.ca,
                  "file of the cluster's root certificates (PEM): connect with TLS")
      ->envname("KVSCOPE_TLS_CA");
  command.add_option("--tls-cert", security.tls.cert, "file of the own certificate (PEM)")
      ->envname("KVSCOPE_TLS_CERT");
  command.add_option("--tls-key", security.tls.key, "file of its private key (PEM)")
      ->envname("KVSCOPE_TLS_KEY");
  command
      .add_option("--tls-server-name", security.server_name,
                  "name in the cluster's certificate, if --connect says another one")
      ->envname("KVSCOPE_TLS_SERVER_NAME");
  command.add_option("--token-file", security.token_file, "file that holds the token to show")
      ->envname("KVSCOPE_TOKEN_FILE");
  command.add_flag("--insecure", security.insecure, "allow plaintext to a host beyond loopback");
}

}  // namespace

void AddSessionOptions(CLI::App& command, SessionOptions& options) {
  auto* connect =
      command.add_option("--connect", options.connect,
                         "host:port of a cluster's orchestrator; default: the local store");
  AddSecurityOptions(command, options.security);
  command
      .add_option(
          "--store", options.store,
          absl::StrCat("file of the local store; default: ", kDefaultDirectory, "/", kStoreName))
      ->excludes(connect);
}

absl::StatusOr<std::unique_ptr<Session>> Session::Open(const SessionOptions& options, int workers,
                                                       const std::string& device) {
  auto session = std::unique_ptr<Session>(new Session());
  if (!options.connect.empty()) {
    KVSCOPE_ASSIGN_OR_RETURN(std::shared_ptr<grpc::Channel> channel,
                             rpc::Dial(options.connect, options.security));
    KVSCOPE_RETURN_IF_ERROR(rpc::WaitForConnected(*channel, options.connect, absl::Seconds(5)));
    session->stub_ = v1::OrchestratorService::NewStub(channel);
    return session;
  }
  const fs::path store =
      options.store.empty() ? fs::path(kDefaultDirectory) / kStoreName : fs::path(options.store);
  std::error_code error;
  if (workers == 0 && !fs::exists(store, error)) {
    return absl::NotFoundError(
        absl::StrCat("there is no local store at ", store.string(),
                     "; run a sweep first, or name one with --store or --connect"));
  }
  if (store.has_parent_path() && !fs::create_directories(store.parent_path(), error) && error) {
    return absl::InvalidArgumentError(absl::StrCat(
        "cannot make the directory ", store.parent_path().string(), ": ", error.message()));
  }
  rpc::SetLogLevel(rpc::LogLevel::kWarning);  // the bar and the table are the talk here
  embed::ClusterOptions cluster;
  cluster.store = store.string();
  cluster.features = (store.parent_path() / kFeaturesName).string();
  cluster.workers = workers;
  cluster.device = device;
  auto started = embed::Cluster::Start(cluster);
  // A device that is not there is a failure of ours; "unreachable" is for who dials.
  if (absl::IsUnavailable(started.status())) {
    return absl::FailedPreconditionError(started.status().message());
  }
  KVSCOPE_ASSIGN_OR_RETURN(session->cluster_, std::move(started));
  session->stub_ = v1::OrchestratorService::NewStub(session->cluster_->channel());
  return session;
}

absl::Status Session::worker_gone() const {
  return cluster_ == nullptr ? absl::OkStatus() : cluster_->worker_gone();
}

void Session::AwaitCollected() {
  if (cluster_ != nullptr) cluster_->AwaitCollected(absl::Minutes(5));
}

void Session::Stop() {
  if (cluster_ != nullptr) cluster_->Stop(absl::Seconds(10));
}

Session::~Session() { Stop(); }

std::string NewRequestId() {
  std::string bytes(16, '\0');
  RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  return absl::StrCat("cli-", absl::BytesToHexString(bytes));
}

absl::StatusOr<std::string> ResolveSweep(const std::string& sweep, SessionOptions& options) {
  std::error_code error;
  const fs::path file = fs::path(sweep) / kSweepFile;
  if (!fs::exists(file, error)) return sweep;
  std::ifstream in(file);
  const nlohmann::json json = nlohmann::json::parse(in, nullptr, false);
  const bool sound = json.is_object() && json.contains("sweep_id") &&
                     json["sweep_id"].is_string() && json.contains("store") &&
                     json["store"].is_string();
  if (!sound) {
    return absl::InvalidArgumentError(absl::StrCat(
        file.string(), " is not what `kvscope run` wrote: it must name store and sweep_id"));
  }
  const bool remote = json.contains("connect") && json["connect"].is_string();
  const std::string connect = remote ? json["connect"].get<std::string>() : "";
  if (options.connect.empty() && options.store.empty() && !connect.empty()) {
    options.connect = connect;
  } else if (options.connect.empty() && options.store.empty()) {
    // Relative to the directory, so that a directory that was moved still finds its own store.
    options.store =
        (fs::path(sweep) / json["store"].get<std::string>()).lexically_normal().string();
  }
  return json["sweep_id"].get<std::string>();
}

}  // namespace kvscope::cli
