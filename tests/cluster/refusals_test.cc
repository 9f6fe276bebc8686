// What a cluster must refuse, asked of real server processes. Each case has its counterpart that
// is let in, so that nothing is refused for another reason.
#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "kvscope/v1/worker.grpc.pb.h"
#include "services/rpc/address.h"
#include "services/rpc/call_policy.h"
#include "services/rpc/channel.h"
#include "services/rpc/grpc_status.h"
#include "services/rpc/method_access.h"
#include "tests/cluster/generic_call.h"
#include "tests/cluster/secured_cluster.h"

namespace kvscope::cluster_test {
namespace {

using rpc::ClientSecurity;
using rpc::Role;
using ::testing::HasSubstr;

// Read-only and cheap; needs the role worker. (kvscope-metrics starts fastest.)
constexpr char kForMetrics[] = "/kvscope.v1.MetricsService/FitProbes";

// What the server says to a call that, let in, is INVALID_ARGUMENT (no unit is named).
absl::Status Ask(const std::string& address, const ClientSecurity& security) {
  const auto channel = rpc::Dial(address, security);
  return channel.ok() ? GenericCall(*channel, kForMetrics) : channel.status();
}

void ExpectLetIn(const absl::Status& status) {
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
}

std::string ReadAll(const std::string& path) {
  std::ostringstream content;
  content << std::ifstream(path).rdbuf();
  return content.str();
}

class Refusals : public testing::Test {
 protected:
  SecuredCluster cluster_;
};

TEST_F(Refusals, Plaintext) {
  ExpectLetIn(Ask(cluster_.Metrics(), cluster_.Client(Role::kWorker)));
  EXPECT_EQ(Ask(cluster_.Metrics(), {}).code(), absl::StatusCode::kUnavailable);
}

TEST_F(Refusals, PlaintextBeyondLoopbackBeforeItBegins) {
  Process server("kvscope-metrics", {"--listen", "0.0.0.0:0"}, cluster_.Path("open.log"));
  while (server.running()) absl::SleepFor(absl::Milliseconds(10));
  EXPECT_THAT(ReadAll(cluster_.Path("open.log")), HasSubstr("refusing to listen on 0.0.0.0:0"));
  EXPECT_EQ(Ask("192.0.2.1:7402", {}).code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(Refusals, AServerOfAnotherRoot) {
  const rpc::CertificateAuthority other("another root");
  other.WriteRoot(cluster_.Path("other-ca"));
  ClientSecurity client = cluster_.Client(Role::kWorker);
  client.tls.ca = cluster_.Path("other-ca.crt");
  const absl::Status refused = Ask(cluster_.Metrics(), client);
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("certificate verify failed"));
}

TEST_F(Refusals, AClientOfAnotherRoot) {
  const rpc::CertificateAuthority other("another root");
  other.Issue(cluster_.Path("stranger"), {.names = {"DNS:client"}});
  ClientSecurity client = cluster_.Client(Role::kWorker);
  client.tls.cert = cluster_.Path("stranger.crt");
  client.tls.key = cluster_.Path("stranger.key");
  EXPECT_EQ(Ask(cluster_.Metrics(), client).code(), absl::StatusCode::kUnavailable);
}

TEST_F(Refusals, AClientWithoutACertificate) {
  ClientSecurity client = cluster_.Client(Role::kWorker);
  client.tls = {.ca = client.tls.ca};
  EXPECT_EQ(Ask(cluster_.Metrics(), client).code(), absl::StatusCode::kUnavailable);
  const std::string lax = cluster_.StartServer(
      "kvscope-metrics", {"--tls-cert", cluster_.Path("server.crt"), "--tls-key",
                          cluster_.Path("server.key"), "--tls-ca", cluster_.Path("ca.crt"),
                          "--tls-client-auth", "none", "--store", cluster_.Path("lax")});
  ExpectLetIn(Ask(lax, client));
}

TEST_F(Refusals, AServerWhoseCertificateExpired) {
  cluster_.authority().Issue(cluster_.Path("brief"),
                             {.names = {"IP:127.0.0.1"}, .lifetime = absl::Seconds(10)});
  const absl::Time end = absl::Now() + absl::Seconds(10);
  const std::string server = cluster_.StartServer(
      "kvscope-metrics", {"--tls-cert", cluster_.Path("brief.crt"), "--tls-key",
                          cluster_.Path("brief.key"), "--store", cluster_.Path("brief")});
  const ClientSecurity client = {.tls = {.ca = cluster_.Path("ca.crt")}};
  ExpectLetIn(Ask(server, client));
  absl::SleepFor(end - absl::Now() + absl::Seconds(2));
  const absl::Status refused = Ask(server, client);
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("certificate verify failed"));
}

TEST_F(Refusals, AnExpiredCertificateOfAClientOrAtTheStart) {
  cluster_.authority().Issue(cluster_.Path("old"),
                             {.names = {"DNS:client"}, .lifetime = -absl::Minutes(1)});
  // A client that does not look at its own certificate, as ours would.
  const auto dial = [this](const std::string& name) {
    return grpc::CreateChannel(
        cluster_.Metrics(),
        grpc::SslCredentials({.pem_root_certs = ReadAll(cluster_.Path("ca.crt")),
                              .pem_private_key = ReadAll(cluster_.Path(name + ".key")),
                              .pem_cert_chain = ReadAll(cluster_.Path(name + ".crt"))}));
  };
  EXPECT_EQ(GenericCall(dial("client"), kForMetrics).code(), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(GenericCall(dial("old"), kForMetrics).code(), absl::StatusCode::kUnavailable);

  Process server("kvscope-metrics",
                 {"--listen", "127.0.0.1:0", "--tls-cert", cluster_.Path("old.crt"), "--tls-key",
                  cluster_.Path("old.key")},
                 cluster_.Path("old.log"));
  while (server.running()) absl::SleepFor(absl::Milliseconds(10));
  EXPECT_THAT(ReadAll(cluster_.Path("old.log")), HasSubstr("the certificate has expired"));
}

TEST_F(Refusals, AServerOfAnotherName) {
  cluster_.authority().Issue(cluster_.Path("other"), {.names = {"DNS:elsewhere.test"}});
  const std::string server = cluster_.StartServer(
      "kvscope-metrics", {"--tls-cert", cluster_.Path("other.crt"), "--tls-key",
                          cluster_.Path("other.key"), "--store", cluster_.Path("other")});
  ClientSecurity client = {.tls = {.ca = cluster_.Path("ca.crt")}};
  EXPECT_EQ(Ask(server, client).code(), absl::StatusCode::kUnavailable);
  client.server_name = "elsewhere.test";
  ExpectLetIn(Ask(server, client));
}

// Whether a handshake of exactly `version` succeeds.
bool Handshakes(const SecuredCluster& cluster, const std::string& address, int version) {
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_security_level(context, 0);  // the client at least would do it
  SSL_CTX_set_min_proto_version(context, version);
  SSL_CTX_set_max_proto_version(context, version);
  SSL_CTX_use_certificate_file(context, cluster.Path("client.crt").c_str(), SSL_FILETYPE_PEM);
  SSL_CTX_use_PrivateKey_file(context, cluster.Path("client.key").c_str(), SSL_FILETYPE_PEM);
  const std::string alpn = "\x02h2";
  SSL_CTX_set_alpn_protos(context, reinterpret_cast<const unsigned char*>(alpn.data()),
                          static_cast<unsigned>(alpn.size()));
  BIO* connection = BIO_new_ssl_connect(context);
  BIO_set_conn_hostname(connection, address.c_str());
  const bool done = BIO_do_connect(connection) == 1;
  BIO_free_all(connection);
  SSL_CTX_free(context);
  return done;
}

TEST_F(Refusals, Tls11) {
  EXPECT_TRUE(Handshakes(cluster_, cluster_.Metrics(), TLS1_3_VERSION));
  EXPECT_TRUE(Handshakes(cluster_, cluster_.Metrics(), TLS1_2_VERSION));
  EXPECT_FALSE(Handshakes(cluster_, cluster_.Metrics(), TLS1_1_VERSION));
  EXPECT_FALSE(Handshakes(cluster_, cluster_.Metrics(), TLS1_VERSION));
}

TEST_F(Refusals, NoTokenAWrongOneAndARevokedOne) {
  ClientSecurity client = cluster_.Client(Role::kWorker);
  ExpectLetIn(Ask(cluster_.Metrics(), client));
  client.token_file = "";
  EXPECT_EQ(Ask(cluster_.Metrics(), client).code(), absl::StatusCode::kUnauthenticated);
  const std::string late = cluster_.Invite("late", Role::kWorker);
  client.token_file = cluster_.Path("late.token");
  EXPECT_EQ(Ask(cluster_.Metrics(), client).code(), absl::StatusCode::kUnauthenticated);

  const std::string table = ReadAll(cluster_.Path("tokens"));
  const auto await = [&](absl::StatusCode code) {
    const absl::Time deadline = absl::Now() + absl::Seconds(20);
    absl::Status status;
    do {
      status = Ask(cluster_.Metrics(), client);
    } while (status.code() != code && absl::Now() < deadline);
    EXPECT_EQ(status.code(), code) << status;
  };
  cluster_.Write("tokens", table + late);
  await(absl::StatusCode::kInvalidArgument);  // let in
  cluster_.Write("tokens", table);
  await(absl::StatusCode::kUnauthenticated);
}

// The orchestrator's streams are served by callbacks, which may end on the thread that cancels
// them.
TEST_F(Refusals, ARunningStreamWhoseTokenIsRevoked) {
  const std::string table = ReadAll(cluster_.Path("tokens"));
  cluster_.Write("tokens", table + cluster_.Invite("late", Role::kWorker));
  ClientSecurity client = cluster_.Client(Role::kWorker);
  client.token_file = cluster_.Path("late.token");
  const auto channel = rpc::Dial(cluster_.Orchestrator(), client);
  ASSERT_TRUE(channel.ok()) << channel.status();
  const auto stub = v1::WorkerService::NewStub(*channel);
  rpc::StreamContext context;
  const auto stream = stub->Work(&context);
  v1::WorkerMessage message;
  v1::Hello* hello = message.mutable_hello();
  hello->set_worker_id("late");
  hello->set_code_version("late");
  hello->add_devices("cpu");
  stream->Write(message);
  v1::OrchestratorMessage reply;
  ASSERT_TRUE(stream->Read(&reply));
  EXPECT_TRUE(reply.has_welcome());
  cluster_.Write("tokens", table);
  while (stream->Read(&reply)) {
  }
  const grpc::Status ended = stream->Finish();
  EXPECT_EQ(ended.error_code(), grpc::StatusCode::CANCELLED) << ended.error_message();
  // The server is as well as before.
  const auto again = rpc::Dial(cluster_.Orchestrator(), cluster_.Client(Role::kRead));
  EXPECT_TRUE(GenericCall(*again, "/kvscope.v1.OrchestratorService/ListSweeps").ok());
}

// Every role against every method of ours, on the server that offers it.
TEST_F(Refusals, ARoleThatIsTooSmall) {
  const auto server = [this](std::string_view path) {
    if (path.starts_with("/kvscope.v1.MetricsService/")) return cluster_.Metrics();
    if (path.starts_with("/kvscope.v1.InferenceService/")) return cluster_.Inference();
    return cluster_.Orchestrator();
  };
  int refused = 0;
  for (const Role role : {Role::kRead, Role::kSubmit, Role::kWorker, Role::kAdmin}) {
    for (const rpc::MethodAccess& method : rpc::AllMethods()) {
      if (!method.path.starts_with("/kvscope.")) continue;
      const auto channel = rpc::Dial(server(method.path), cluster_.Client(role));
      ASSERT_TRUE(channel.ok()) << channel.status();
      const absl::Status status = GenericCall(*channel, std::string(method.path));
      const bool allowed = rpc::Allows(role, *method.needed);
      EXPECT_EQ(status.code() != absl::StatusCode::kPermissionDenied, allowed)
          << rpc::RoleName(role) << " for " << method.path << ": " << status;
      EXPECT_NE(status.code(), absl::StatusCode::kUnauthenticated);
      EXPECT_NE(status.code(), absl::StatusCode::kUnavailable) << status;
      refused += allowed ? 0 : 1;
    }
  }
  EXPECT_GT(refused, 20);
}

TEST_F(Refusals, AMethodThatNobodyOffers) {
  const auto channel = rpc::Dial(cluster_.Metrics(), cluster_.Client(Role::kAdmin));
  ASSERT_TRUE(channel.ok());
  EXPECT_EQ(GenericCall(*channel, "/kvscope.v1.MetricsService/Shutdown").code(),
            absl::StatusCode::kPermissionDenied);
}

TEST_F(Refusals, HealthIsToldWithoutAToken) {
  ClientSecurity client = cluster_.Client(Role::kRead);
  client.token_file = "";
  const auto channel = rpc::Dial(cluster_.Metrics(), client);
  ASSERT_TRUE(channel.ok());
  EXPECT_TRUE(GenericCall(*channel, "/grpc.health.v1.Health/Check").ok());
}

// Runs `kvscope` to its end; its exit code, and what it said if that is not `expected`.
int RunProgram(const std::string& program, const std::vector<std::string>& arguments,
               const std::string& log, int expected) {
  Process process(program, arguments, log);
  const absl::Time deadline = absl::Now() + absl::Minutes(2);
  while (process.running() && absl::Now() < deadline) absl::SleepFor(absl::Milliseconds(20));
  if (expected == 0) return process.Terminate();
  EXPECT_FALSE(process.running());
  return process.exit_code();
}

// With the right files everything works: a worker, the metrics service and the command line.
TEST_F(Refusals, NothingOfASweepThatMayRun) {
  cluster_.Inference();
  std::ofstream(cluster_.Path("sweep.yaml"))
      << "name: secured\nmodel: pocket-llama\ndatasets: [{name: knowledge, scale: pocket, "
         "passages: "
         "1, seed: 1}]\nregimes: [agnostic]\npresses: [knorm]\nratios: [0, 0.5]\n"
         "max_new_tokens: 4\n";
  const auto kvscope = [this](std::vector<std::string> words, const char* role, int expected) {
    for (const std::string& word :
         {std::string("--connect"), cluster_.Orchestrator(), std::string("--tls-ca"),
          cluster_.Path("ca.crt"), std::string("--tls-cert"), cluster_.Path("client.crt"),
          std::string("--tls-key"), cluster_.Path("client.key"), std::string("--token-file"),
          cluster_.Path(std::string(role) + ".token")}) {
      words.push_back(word);
    }
    EXPECT_EQ(RunProgram("kvscope", words, cluster_.Path("kvscope.log"), expected), expected);
  };
  kvscope({"run", cluster_.Path("sweep.yaml"), "--out", cluster_.Path("refused")}, "read", 1);
  kvscope({"run", cluster_.Path("sweep.yaml"), "--out", cluster_.Path("out")}, "submit", 0);
  EXPECT_THAT(ReadAll(cluster_.Path("out/answers.csv")), HasSubstr("pocket-llama"));
  kvscope({"results", "secured", "--level", "cells"}, "read", 0);
  kvscope({"sweeps", "delete", "secured"}, "read", 1);
  kvscope({"sweeps", "delete", "secured"}, "worker", 1);
  kvscope({"sweeps", "delete", "secured"}, "submit", 0);
}

TEST_F(Refusals, NoHealthOfAServerThatIsThere) {
  const std::vector<std::string> ask = {"healthcheck", cluster_.Metrics()};
  EXPECT_EQ(RunProgram("kvscope-metrics", ask, cluster_.Path("ask.log"), 1), 1);
  std::vector<std::string> ask_well = ask;
  ask_well.insert(ask_well.end(),
                  {"--tls-cert", cluster_.Path("server.crt"), "--tls-key",
                   cluster_.Path("server.key"), "--tls-ca", cluster_.Path("ca.crt")});
  EXPECT_EQ(RunProgram("kvscope-metrics", ask_well, cluster_.Path("ask.log"), 0), 0);
}

// By every method of the orchestrator's: none may be forgotten.
TEST_F(Refusals, CallsThatComeTooFast) {
  const std::string address = cluster_.StartServer(
      "kvscope-orchestrator", {"--store", cluster_.Path("fast.db"), "--rate-limit", "1"});
  const auto channel = rpc::Dial(address, {});
  ASSERT_TRUE(channel.ok()) << channel.status();
  int methods = 0;
  for (const rpc::MethodAccess& method : rpc::AllMethods()) {
    if (!method.path.starts_with("/kvscope.v1.OrchestratorService/")) continue;
    ++methods;
    absl::Status status;
    for (int call = 0; call < 50 && !absl::IsResourceExhausted(status); ++call) {
      status = GenericCall(*channel, std::string(method.path));
    }
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << method.path << status;
    EXPECT_TRUE(rpc::RetryDelay(status).has_value()) << method.path;
  }
  EXPECT_GE(methods, 13);
}

TEST_F(Refusals, AMessageThatIsTooLarge) {
  const rpc::Address address = *rpc::ParseAddress(cluster_.Metrics());
  const auto credentials = rpc::MakeChannelCredentials(address, cluster_.Client(Role::kWorker));
  ASSERT_TRUE(credentials.ok()) << credentials.status();
  grpc::ChannelArguments unlimited;
  unlimited.SetMaxSendMessageSize(-1);
  const auto channel = grpc::CreateCustomChannel(address.ToString(), *credentials, unlimited);
  EXPECT_EQ(GenericCall(channel, kForMetrics, std::string(5 << 20, '\0')).code(),
            absl::StatusCode::kResourceExhausted);
  ExpectLetIn(GenericCall(channel, kForMetrics));
}

}  // namespace
}  // namespace kvscope::cluster_test
