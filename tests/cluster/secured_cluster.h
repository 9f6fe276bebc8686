// SecuredCluster: server processes as they stand in a network that is not trusted: mTLS, tokens.
#pragma once

#include <grpcpp/channel.h>

#include <memory>
#include <string>
#include <vector>

#include "services/rpc/caller.h"
#include "services/rpc/security.h"
#include "tests/cluster/process.h"
#include "tests/rpc/certificate_maker.h"

namespace kvscope::cluster_test {

// Everything lies in a folder of its own, which goes with it: ca.crt, server.{crt,key},
// client.{crt,key}, the table `tokens`, ROLE.token of each role, and models/ with "pocket-llama".
// The folder itself and outside/, beside models/, are models too, which no client may reach.
class SecuredCluster {
 public:
  // `orchestrator`: further arguments of kvscope-orchestrator.
  explicit SecuredCluster(std::vector<std::string> orchestrator = {});
  ~SecuredCluster();

  // Each starts at its first use, as a process of its own.
  const std::string& Orchestrator();
  const std::string& Metrics();
  const std::string& Inference();  // also works for the orchestrator

  // Starts a further server with `arguments` instead of the cluster's security; its address.
  std::string StartServer(const std::string& program, const std::vector<std::string>& arguments);

  std::string Path(const std::string& name) const { return folder_ + "/" + name; }
  void Write(const std::string& name, const std::string& content) const;  // all or nothing
  const rpc::CertificateAuthority& authority() const { return authority_; }

  // What a client needs; the token of `role`.
  rpc::ClientSecurity Client(rpc::Role role) const;
  // The same with the token that lies in NAME.token.
  rpc::ClientSecurity Client(const std::string& name) const;
  // A table line of a token that WriteToken makes: NAME.token holds the token.
  std::string Invite(const std::string& name, rpc::Role role) const;

 private:
  std::string Start(const std::string& program, const std::string& name,
                    std::vector<std::string> arguments);
  std::vector<std::string> SecurityArguments() const;

  const std::string folder_;
  const std::vector<std::string> orchestrator_arguments_;
  const rpc::CertificateAuthority authority_{"cluster root"};
  std::string orchestrator_, metrics_, inference_;
  std::vector<std::unique_ptr<Process>> processes_;
};

}  // namespace kvscope::cluster_test
