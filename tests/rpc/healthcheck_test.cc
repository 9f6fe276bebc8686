#include "services/rpc/healthcheck.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "kvscope/v1/metrics.grpc.pb.h"
#include "services/rpc/server.h"

namespace kvscope::rpc {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Idle final : public v1::MetricsService::Service {};

struct Outcome {
  int code = 0;
  std::string told;  // on stderr
};

// Runs the subcommand as a program with a required option has it.
Outcome Program(std::vector<std::string> arguments) {
  CLI::App app("a server", "kvscope-test");
  ServiceFlags flags;
  AddServiceFlags(app, flags);
  std::string store;
  app.add_option("--store", store, "a directory")->required();
  arguments.insert(arguments.begin(), "kvscope-test");
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  testing::internal::CaptureStderr();
  Outcome outcome;
  outcome.code = ParseFlags(app, static_cast<int>(argv.size()), argv.data());
  outcome.told = testing::internal::GetCapturedStderr();
  return outcome;
}

class Healthcheck : public testing::Test {
 protected:
  void SetUp() override {
    grpc::Service* const services[] = {&service_};
    auto started = Server::Start({.listen = "127.0.0.1:0"}, services);
    ASSERT_TRUE(started.ok()) << started.status();
    server_ = *std::move(started);
  }

  Idle service_;
  std::unique_ptr<Server> server_;
};

TEST_F(Healthcheck, ServingIsZero) {
  const Outcome named = Program({"healthcheck", server_->address()});
  EXPECT_EQ(named.code, 0);
  EXPECT_THAT(named.told, IsEmpty());
  EXPECT_EQ(Program({"healthcheck", "--listen", server_->address()}).code, 0);
}

TEST_F(Healthcheck, AWildcardIsAskedAtItsLoopback) {
  setenv("KVSCOPE_LISTEN", absl::StrCat("0.0.0.0:", server_->port()).c_str(), 1);
  EXPECT_EQ(Program({"healthcheck"}).code, 0);
  unsetenv("KVSCOPE_LISTEN");
}

TEST_F(Healthcheck, ADrainingServerIsOne) {
  server_->StopServing();
  const Outcome outcome = Program({"healthcheck", server_->address()});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.told, HasSubstr("it drains"));
}

TEST_F(Healthcheck, OneDeadAddressAmongSeveralIsOne) {
  const std::string alive = server_->address();
  Idle service;
  grpc::Service* const services[] = {&service};
  auto other = Server::Start({.listen = "127.0.0.1:0"}, services);
  ASSERT_TRUE(other.ok()) << other.status();
  const std::string dead = (*other)->address();
  EXPECT_EQ(Program({"healthcheck", alive, dead}).code, 0);
  (*other)->Shutdown(absl::ZeroDuration());
  const Outcome outcome = Program({"healthcheck", alive, dead});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.told, HasSubstr(dead));
}

TEST_F(Healthcheck, AServerThatNeverAnswersIsUnavailableInTime) {
  // A listening socket that nobody accepts from: the connection is made, the answer never comes.
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in name = {};
  name.sin_family = AF_INET;
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&name), sizeof(name)), 0);
  ASSERT_EQ(listen(fd, 1), 0);
  socklen_t size = sizeof(name);
  ASSERT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&name), &size), 0);
  const absl::Status status = CheckHealth(absl::StrCat("127.0.0.1:", ntohs(name.sin_port)),
                                          ServiceFlags(), absl::Milliseconds(200));
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  close(fd);
}

TEST(HealthcheckUsage, WhatCannotBeAskedIsSaid) {
  EXPECT_THAT(Program({"healthcheck"}).told, HasSubstr("say --listen"));
  EXPECT_THAT(Program({"healthcheck", "nowhere"}).told, HasSubstr("nowhere"));
  EXPECT_THAT(Program({"healthcheck", "127.0.0.1:0"}).told, HasSubstr("names no port"));
  EXPECT_EQ(Program({"healthcheck", "--frobnicate"}).code, 2);
  EXPECT_EQ(Program({"--listen", "127.0.0.1:0"}).code,
            2);  // and --store is still required without it
}

}  // namespace
}  // namespace kvscope::rpc
