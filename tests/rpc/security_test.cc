// Who gets in: one server in this process, dialled as clients do. (Server processes and the whole
// matrix of refusals: tests/cluster/refusals_test.cc.)
#include "services/rpc/security.h"

#include <gmock/gmock.h>
#include <grpcpp/client_context.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "kvscope/v1/orchestrator.grpc.pb.h"
#include "services/rpc/caller.h"
#include "services/rpc/channel.h"
#include "services/rpc/grpc_status.h"
#include "services/rpc/server.h"
#include "services/rpc/tokens.h"
#include "tests/rpc/certificate_maker.h"

namespace kvscope::rpc {
namespace {

using ::testing::HasSubstr;

// Answers GetSweep with the caller as the sweep's name and role as its id, within its rate.
// WatchSweep lasts until the caller is gone or cancelled.
class WhoAmI final : public v1::OrchestratorService::Service {
 public:
  grpc::Status GetSweep(grpc::ServerContext* context, const v1::GetSweepRequest*,
                        v1::Sweep* sweep) override {
    if (const absl::Status rate = CheckRate(*context); !rate.ok()) return ToGrpc(rate);
    const Caller caller = CallerOf(*context);
    sweep->set_id(std::string(RoleName(caller.role)));
    sweep->mutable_spec()->set_name(caller.name);
    return grpc::Status::OK;
  }
  grpc::Status CreateSweep(grpc::ServerContext*, const v1::CreateSweepRequest*,
                           v1::Sweep*) override {
    ++created;
    return grpc::Status::OK;
  }
  grpc::Status WatchSweep(grpc::ServerContext* context, const v1::WatchSweepRequest*,
                          grpc::ServerWriter<v1::Sweep>* writer) override {
    writer->Write(v1::Sweep());
    while (!context->IsCancelled()) absl::SleepFor(absl::Milliseconds(5));
    return grpc::Status::CANCELLED;
  }

  std::atomic<int> created = 0;
};

class SecurityTest : public testing::Test {
 protected:
  SecurityTest() : folder_(testing::TempDir() + "/security-" + std::to_string(getpid())) {
    std::filesystem::create_directories(folder_);
  }
  ~SecurityTest() override {
    server_.reset();
    std::filesystem::remove_all(folder_);
  }

  std::string Path(const std::string& name) const { return folder_ + "/" + name; }

  void Write(const std::string& name, const std::string& content) const {
    std::ofstream(Path(name + ".partial")) << content;
    std::filesystem::rename(Path(name + ".partial"), Path(name));
  }

  // A token for `name`: its line for the server's table; the client's file is NAME.token.
  std::string Invite(const std::string& name, Role role) const {
    const std::string token = NewToken();
    Write(name + ".token", token + "\n");
    return *TokenLine(name, role, HashToken(token)) + "\n";
  }

  void Serve(const ServerSecurity& security) {
    grpc::Service* services[] = {&service_};
    auto started = Server::Start({.listen = "127.0.0.1:0", .security = security}, services);
    ASSERT_TRUE(started.ok()) << started.status();
    server_ = *std::move(started);
  }

  std::unique_ptr<v1::OrchestratorService::Stub> Connect(const ClientSecurity& security) const {
    auto channel = Dial(server_->address(), security);
    EXPECT_TRUE(channel.ok()) << channel.status();
    return v1::OrchestratorService::NewStub(*channel);
  }

  // What GetSweep came to; `sweep` tells who the server thinks we are.
  static absl::Status Get(v1::OrchestratorService::Stub& stub, v1::Sweep* sweep) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
    return FromGrpc(stub.GetSweep(&context, v1::GetSweepRequest(), sweep));
  }
  absl::Status Get(const ClientSecurity& security) const {
    v1::Sweep sweep;
    return Get(*Connect(security), &sweep);
  }

  // Until `condition` holds, for at most ten seconds.
  template <typename Condition>
  static void Await(Condition condition) {
    const absl::Time deadline = absl::Now() + absl::Seconds(10);
    while (!condition() && absl::Now() < deadline) absl::SleepFor(absl::Milliseconds(50));
    EXPECT_TRUE(condition());
  }

  const std::string folder_;
  WhoAmI service_;
  std::unique_ptr<Server> server_;
};

TEST_F(SecurityTest, ATokenTellsTheHandlerWhoCalls) {
  Write("tokens", Invite("ada", Role::kSubmit));
  Serve({.token_file = Path("tokens")});
  v1::Sweep sweep;
  const auto stub = Connect({.token_file = Path("ada.token")});
  ASSERT_TRUE(Get(*stub, &sweep).ok());
  EXPECT_EQ(sweep.spec().name(), "ada");
  EXPECT_EQ(sweep.id(), "submit");
  const auto inside = v1::OrchestratorService::NewStub(server_->InProcessChannel());
  ASSERT_TRUE(Get(*inside, &sweep).ok());
  EXPECT_EQ(sweep.spec().name(), "");
  EXPECT_EQ(sweep.id(), "admin");
}

TEST_F(SecurityTest, TwoCallersOnOneConnectionAreToldApart) {
  Write("tokens", Invite("ada", Role::kSubmit) + Invite("bob", Role::kRead));
  Serve({.token_file = Path("tokens")});
  std::ifstream ada(Path("ada.token")), bob(Path("bob.token"));
  std::string adas, bobs;
  ada >> adas;
  bob >> bobs;
  const auto stub = Connect({});
  for (const auto& [token, name] :
       {std::pair(adas, "ada"), std::pair(bobs, "bob"), std::pair(adas, "ada")}) {
    grpc::ClientContext context;
    context.AddMetadata("authorization", "bearer " + token);
    v1::Sweep sweep;
    ASSERT_TRUE(stub->GetSweep(&context, v1::GetSweepRequest(), &sweep).ok());
    EXPECT_EQ(sweep.spec().name(), name);
  }
}

TEST_F(SecurityTest, NoTokenAWrongOneAndTooSmallARoleAreRefused) {
  Write("tokens", Invite("bob", Role::kRead));
  Invite("eve", Role::kAdmin);  // not in the table
  Serve({.token_file = Path("tokens")});
  EXPECT_EQ(Get({}).code(), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(Get({.token_file = Path("eve.token")}).code(), absl::StatusCode::kUnauthenticated);
  const auto stub = Connect({.token_file = Path("bob.token")});
  grpc::ClientContext context;
  v1::Sweep sweep;
  const absl::Status refused =
      FromGrpc(stub->CreateSweep(&context, v1::CreateSweepRequest(), &sweep));
  EXPECT_EQ(refused.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("needs the role submit"));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("the token of bob has the role read"));
  EXPECT_EQ(service_.created, 0);
}

TEST_F(SecurityTest, ARevokedTokenEndsItsCallsAndABrokenTableChangesNothing) {
  const std::string ada = Invite("ada", Role::kSubmit), bob = Invite("bob", Role::kRead);
  Write("tokens", ada + bob);
  Serve({.token_file = Path("tokens")});
  const auto adas = Connect({.token_file = Path("ada.token")});
  const auto bobs = Connect({.token_file = Path("bob.token")});
  grpc::ClientContext adas_context, bobs_context;
  const auto adas_watch = adas->WatchSweep(&adas_context, v1::WatchSweepRequest());
  const auto bobs_watch = bobs->WatchSweep(&bobs_context, v1::WatchSweepRequest());
  v1::Sweep sweep;
  ASSERT_TRUE(adas_watch->Read(&sweep));
  ASSERT_TRUE(bobs_watch->Read(&sweep));

  Write("tokens", "ada submit no-hash\n");
  absl::SleepFor(absl::Milliseconds(2500));
  EXPECT_TRUE(Get(*bobs, &sweep).ok());
  Write("tokens", ada);
  EXPECT_FALSE(bobs_watch->Read(&sweep));  // waits for the server to notice
  EXPECT_EQ(bobs_watch->Finish().error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_EQ(Get(*bobs, &sweep).code(), absl::StatusCode::kUnauthenticated);
  EXPECT_TRUE(Get(*adas, &sweep).ok());
  adas_context.TryCancel();
  EXPECT_FALSE(adas_watch->Read(&sweep));
  adas_watch->Finish();
}

TEST_F(SecurityTest, ACallerOverItsRateIsToldWhenToComeBack) {
  Write("tokens", Invite("ada", Role::kRead) + Invite("bob", Role::kRead));
  Serve({.token_file = Path("tokens"), .rate_limit = 2});
  const auto adas = Connect({.token_file = Path("ada.token")});
  v1::Sweep sweep;
  absl::Status status;
  for (int i = 0; i < 10 && status.ok(); ++i) status = Get(*adas, &sweep);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  ASSERT_TRUE(RetryDelay(status).has_value());
  EXPECT_GT(*RetryDelay(status), absl::ZeroDuration());
  EXPECT_LE(*RetryDelay(status), absl::Milliseconds(501));
  EXPECT_TRUE(Get({.token_file = Path("bob.token")}).ok());  // each has a bucket of its own
  absl::SleepFor(*RetryDelay(status));
  EXPECT_TRUE(Get(*adas, &sweep).ok());
}

TEST_F(SecurityTest, CertificatesAreExchangedWhileACallRuns) {
  const CertificateAuthority first("first"), second("second");
  first.WriteRoot(Path("ca"));
  first.Issue(Path("server"), {.names = {"IP:127.0.0.1"}});
  first.Issue(Path("client"), {.names = {"DNS:client"}});
  first.WriteRoot(Path("old-ca"));
  Serve({.tls = {Path("server.crt"), Path("server.key"), Path("ca.crt")}});
  const TlsFiles files = {Path("client.crt"), Path("client.key"), Path("ca.crt")};
  const auto stub = Connect({.tls = files});
  grpc::ClientContext context;
  const auto watch = stub->WatchSweep(&context, v1::WatchSweepRequest());
  v1::Sweep sweep;
  ASSERT_TRUE(watch->Read(&sweep));

  second.WriteRoot(Path("ca"));
  second.Issue(Path("server"), {.names = {"IP:127.0.0.1"}});
  second.Issue(Path("client"), {.names = {"DNS:client"}});
  std::filesystem::copy(Path("client.crt"), Path("new.crt"));
  std::filesystem::copy(Path("client.key"), Path("new.key"));
  std::filesystem::copy(Path("ca.crt"), Path("new-ca.crt"));
  const ClientSecurity fresh = {.tls = {Path("new.crt"), Path("new.key"), Path("new-ca.crt")}};
  Await([&] { return Get(fresh).ok(); });
  EXPECT_EQ(Get({.tls = {.ca = Path("old-ca.crt")}}).code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(Get({.tls = files}).ok());  // the client's own files are followed too
  EXPECT_TRUE(Get(*stub, &sweep).ok());   // what was connected stays so
  context.TryCancel();
  EXPECT_FALSE(watch->Read(&sweep));
  watch->Finish();
}

TEST_F(SecurityTest, CertificatesThatDoNotFitChangeNothing) {
  const CertificateAuthority authority("root");
  authority.WriteRoot(Path("ca"));
  authority.Issue(Path("server"), {.names = {"IP:127.0.0.1"}});
  Serve({.tls = {Path("server.crt"), Path("server.key"), ""}});
  const ClientSecurity client = {.tls = {.ca = Path("ca.crt")}};
  EXPECT_TRUE(Get(client).ok());
  Write("server.crt", "no certificate");
  Write("server.key", "");
  absl::SleepFor(absl::Milliseconds(2500));
  EXPECT_TRUE(Get(client).ok());
}

TEST_F(SecurityTest, WhatCannotBeSecureIsRefusedBeforeItBegins) {
  const Address away = {.host = "192.0.2.1", .port = 1}, home = {.host = "127.0.0.1", .port = 1};
  Write("tokens", Invite("ada", Role::kRead));
  const auto client = [](const Address& address, const ClientSecurity& security) {
    return std::string(MakeChannelCredentials(address, security).status().message());
  };
  EXPECT_THAT(client(away, {}), HasSubstr("without encryption"));
  EXPECT_EQ(client(away, {.insecure = true}), "");
  EXPECT_THAT(client(away, {.insecure = true, .token_file = Path("ada.token")}),
              HasSubstr("with tokens but without encryption"));
  EXPECT_EQ(client(home, {.token_file = Path("ada.token")}), "");
  EXPECT_THAT(client(home, {.token_file = Path("tokens")}), HasSubstr("table of hashes"));
  EXPECT_THAT(client(home, {.token_file = Path("absent")}), HasSubstr("No such file"));
  EXPECT_THAT(client(home, {.tls = {.cert = Path("a")}}), HasSubstr("belong together"));

  const auto start = [&](const std::string& listen, const ServerSecurity& security) {
    grpc::Service* services[] = {&service_};
    return std::string(
        Server::Start({.listen = listen, .security = security}, services).status().message());
  };
  EXPECT_THAT(start("0.0.0.0:0", {}), HasSubstr("without encryption"));
  EXPECT_THAT(start("0.0.0.0:0", {.insecure = true, .token_file = Path("tokens")}),
              HasSubstr("with tokens but without encryption"));
  EXPECT_THAT(start("127.0.0.1:0", {.tls = {.key = Path("a")}}), HasSubstr("belong together"));
  EXPECT_THAT(start("127.0.0.1:0", {.token_file = Path("ada.token")}),
              HasSubstr("ada.token:1: has"));
}

}  // namespace
}  // namespace kvscope::rpc
