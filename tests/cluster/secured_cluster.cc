#include "tests/cluster/secured_cluster.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/rpc/tokens.h"

namespace kvscope::cluster_test {

namespace fs = std::filesystem;

SecuredCluster::SecuredCluster(std::vector<std::string> orchestrator)
    : folder_(MakeFolder()), orchestrator_arguments_(std::move(orchestrator)) {
  authority_.WriteRoot(Path("ca"));
  authority_.Issue(Path("server"), {.names = {"IP:127.0.0.1", "DNS:localhost"}});
  authority_.Issue(Path("client"), {.names = {"DNS:client"}});
  std::string table;
  for (const rpc::Role role :
       {rpc::Role::kRead, rpc::Role::kSubmit, rpc::Role::kWorker, rpc::Role::kAdmin}) {
    table += Invite(std::string(rpc::RoleName(role)), role);
  }
  Write("tokens", table);
  const std::string pocket = std::string(KVSCOPE_SOURCE_DIR) + "/models/pocket-llama";
  fs::create_directory(Path("models"));
  fs::create_directory_symlink(pocket, Path("models/pocket-llama"));
  fs::create_directory_symlink(pocket, Path("outside"));
  for (const auto& file : fs::directory_iterator(pocket)) {  // models/.. is a model as well
    fs::create_symlink(file.path(), Path(file.path().filename()));
  }
}

SecuredCluster::~SecuredCluster() {
  while (!processes_.empty()) {  // last come, first gone
    processes_.back()->Terminate();
    processes_.pop_back();
  }
  fs::remove_all(folder_);
}

void SecuredCluster::Write(const std::string& name, const std::string& content) const {
  std::ofstream(Path(name + ".partial")) << content;
  fs::rename(Path(name + ".partial"), Path(name));
}

std::string SecuredCluster::Invite(const std::string& name, rpc::Role role) const {
  const std::string token = rpc::NewToken();
  Write(name + ".token", token + "\n");
  return *rpc::TokenLine(name, role, rpc::HashToken(token)) + "\n";
}

rpc::ClientSecurity SecuredCluster::Client(rpc::Role role) const {
  return Client(std::string(rpc::RoleName(role)));
}

rpc::ClientSecurity SecuredCluster::Client(const std::string& name) const {
  return {.tls = {.cert = Path("client.crt"), .key = Path("client.key"), .ca = Path("ca.crt")},
          .token_file = Path(name + ".token")};
}

std::vector<std::string> SecuredCluster::SecurityArguments() const {
  return {"--tls-cert",        Path("server.crt"), "--tls-key",
          Path("server.key"),  "--tls-ca",         Path("ca.crt"),
          "--token-file",      Path("tokens"),     "--client-token-file",
          Path("worker.token")};
}

std::string SecuredCluster::Start(const std::string& program, const std::string& name,
                                  std::vector<std::string> arguments) {
  const std::string port_file = Path(name + ".port");
  for (const std::string& word :
       {std::string("--listen"), std::string("127.0.0.1:0"), std::string("--port-file"), port_file,
        std::string("--drain-timeout"), std::string("1")}) {
    arguments.push_back(word);
  }
  processes_.push_back(
      std::make_unique<Process>(program, std::move(arguments), Path(name + ".log")));
  return absl::StrCat("127.0.0.1:", WaitForPort(port_file, *processes_.back()));
}

const std::string& SecuredCluster::Metrics() {
  if (metrics_.empty()) {
    std::vector<std::string> arguments = SecurityArguments();
    arguments.insert(arguments.end(), {"--store", Path("hidden-states")});
    metrics_ = Start("kvscope-metrics", "metrics", std::move(arguments));
  }
  return metrics_;
}

const std::string& SecuredCluster::Orchestrator() {
  if (orchestrator_.empty()) {
    std::vector<std::string> arguments = SecurityArguments();
    arguments.insert(arguments.end(), {"--store", Path("store.db"), "--models-dir", Path("models"),
                                       "--metrics", Metrics()});
    arguments.insert(arguments.end(), orchestrator_arguments_.begin(),
                     orchestrator_arguments_.end());
    orchestrator_ = Start("kvscope-orchestrator", "orchestrator", std::move(arguments));
  }
  return orchestrator_;
}

const std::string& SecuredCluster::Inference() {
  if (inference_.empty()) {
    std::vector<std::string> arguments = SecurityArguments();
    arguments.insert(arguments.end(),
                     {"--orchestrator", Orchestrator(), "--metrics", Metrics(), "--models-dir",
                      Path("models"), "--device", "cpu", "--threads", "1"});
    inference_ = Start("kvscope-inference", "inference", std::move(arguments));
  }
  return inference_;
}

std::string SecuredCluster::StartServer(const std::string& program,
                                        const std::vector<std::string>& arguments) {
  return Start(program, absl::StrCat(program, "-", processes_.size()), arguments);
}

}  // namespace kvscope::cluster_test
