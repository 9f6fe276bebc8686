// How each server process behaves towards those who watch over it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "services/rpc/channel.h"
#include "tests/cluster/generic_call.h"
#include "tests/cluster/process.h"

namespace kvscope::cluster_test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Serialised grpc.health.v1.HealthCheckResponse.
constexpr char kServing[] = "\x08\x01", kNotServing[] = "\x08\x02";

class Conduct : public testing::TestWithParam<std::string> {
 protected:
  ~Conduct() override {
    server_.reset();
    std::filesystem::remove_all(folder_);
  }

  void Start(std::vector<std::string> arguments) {
    const std::string port_file = folder_ + "/port";
    server_.reset();
    std::filesystem::remove(port_file);
    arguments.insert(arguments.end(), {"--listen", "127.0.0.1:0", "--port-file", port_file});
    if (GetParam() == "kvscope-inference") {
      arguments.insert(arguments.end(),
                       {"--models-dir", std::string(KVSCOPE_SOURCE_DIR) + "/models", "--metrics",
                        "127.0.0.1:1", "--device", "cpu"});
    } else {
      arguments.insert(arguments.end(), {"--store", folder_ + "/store"});
    }
    server_ = std::make_unique<Process>(GetParam(), arguments, folder_ + "/log");
    const std::string address = absl::StrCat("127.0.0.1:", WaitForPort(port_file, *server_));
    channel_ = *rpc::Dial(address, {});
    ASSERT_TRUE(rpc::WaitForConnected(*channel_, address, absl::Minutes(1)).ok());
  }

  const std::string folder_ = MakeFolder();
  std::unique_ptr<Process> server_;
  std::shared_ptr<grpc::Channel> channel_;
};

// Asked for its services: a ServerReflectionRequest with list_services.
constexpr char kReflection[] = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
const std::string kListServices("\x3a\x00", 2);

TEST_P(Conduct, ReflectionIsThereOnlyIfAskedFor) {
  Start({});
  EXPECT_EQ(GenericCall(channel_, kReflection, kListServices).code(),
            absl::StatusCode::kUnimplemented);
  Start({"--reflection"});
  std::string told;
  EXPECT_TRUE(GenericCall(channel_, kReflection, kListServices, [&](const std::string& response) {
                told += response;
              }).ok());
  EXPECT_THAT(told, HasSubstr("kvscope.v1."));
}

TEST_P(Conduct, SaysThatItDrainsBeforeItEnds) {
  Start({"--drain-timeout", "2"});
  std::atomic<bool> watched = false;
  std::vector<std::string> told;
  absl::Status ended;
  std::thread watcher([&] {
    ended =
        GenericCall(channel_, "/grpc.health.v1.Health/Watch", "", [&](const std::string& response) {
          told.push_back(response);
          watched = true;
        });
  });
  while (!watched) absl::SleepFor(absl::Milliseconds(5));
  EXPECT_EQ(server_->Terminate(), 0);
  watcher.join();
  // The second is gRPC's own, as the server shuts down.
  EXPECT_THAT(told, ElementsAre(kServing, kNotServing, kNotServing)) << ended;
}

INSTANTIATE_TEST_SUITE_P(Of, Conduct,
                         testing::Values("kvscope-orchestrator", "kvscope-metrics",
                                         "kvscope-inference"),
                         [](const auto& info) { return info.param.substr(8); });

}  // namespace
}  // namespace kvscope::cluster_test
