#include "services/rpc/call_policy.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <string>

#include "absl/time/clock.h"
#include "kvscope/v1/metrics.grpc.pb.h"
#include "kvscope/v1/orchestrator.grpc.pb.h"
#include "services/rpc/channel.h"
#include "services/rpc/grpc_status.h"
#include "services/rpc/server.h"
#include "tests/rpc/proto_sources.h"

namespace kvscope::rpc {
namespace {

TEST(CallPolicy, RetriesOnlyUnaryMethodsWhoseContractAllowsIt) {
  std::map<std::string, MethodSource> methods;
  for (const MethodSource& method : MethodsOfOurProtos()) methods[method.path] = method;
  ASSERT_FALSE(RetriedMethods().empty());
  for (const std::string_view retried : RetriedMethods()) {
    const auto found = methods.find("/" + std::string(retried));
    ASSERT_NE(found, methods.end()) << retried << " is no method";
    EXPECT_TRUE(found->second.unary) << retried;
    EXPECT_NE(found->second.comment.find("May be retried"), std::string::npos)
        << retried << ": " << found->second.comment;
  }
}

// Is away for the first `away` calls of a method.
class Shaky final : public v1::OrchestratorService::CallbackService {
 public:
  explicit Shaky(int away) : away_(away) {}

  grpc::ServerUnaryReactor* GetSweep(grpc::CallbackServerContext* context,
                                     const v1::GetSweepRequest*, v1::Sweep*) override {
    deadline = context->deadline();
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(++calls <= away_ ? grpc::Status(grpc::StatusCode::UNAVAILABLE, "away")
                                     : grpc::Status::OK);
    return reactor;
  }

  std::atomic<int> calls = 0;
  std::chrono::system_clock::time_point deadline;

 private:
  const int away_;
};

class NeverThere final : public v1::MetricsService::CallbackService {
 public:
  grpc::ServerUnaryReactor* ForgetUnits(grpc::CallbackServerContext* context,
                                        const v1::ForgetUnitsRequest*,
                                        v1::ForgetUnitsResponse*) override {
    ++calls;
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status(grpc::StatusCode::UNAVAILABLE, "away"));
    return reactor;
  }

  std::atomic<int> calls = 0;
};

class CallPolicyServer : public testing::Test {
 protected:
  void Serve(int away) {
    service_ = std::make_unique<Shaky>(away);
    grpc::Service* services[] = {service_.get(), &never_there_};
    auto started = Server::Start({.listen = "127.0.0.1:0"}, services);
    ASSERT_TRUE(started.ok()) << started.status();
    server_ = *std::move(started);
    stub_ = v1::OrchestratorService::NewStub(*Dial(server_->address(), ClientSecurity()));
  }

  NeverThere never_there_;
  std::unique_ptr<Shaky> service_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<v1::OrchestratorService::Stub> stub_;
};

TEST_F(CallPolicyServer, ACallThatMayBeRetriedOutlastsAServerThatIsAway) {
  Serve(2);
  UnaryContext context;
  v1::Sweep sweep;
  const grpc::Status status = stub_->GetSweep(&context, v1::GetSweepRequest(), &sweep);
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(service_->calls, 3);
}

TEST_F(CallPolicyServer, AnyOtherCallIsMadeOnce) {
  Serve(0);
  UnaryContext context;
  v1::ForgetUnitsResponse response;
  const auto stub = v1::MetricsService::NewStub(*Dial(server_->address(), ClientSecurity()));
  const grpc::Status status = stub->ForgetUnits(&context, v1::ForgetUnitsRequest(), &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(never_there_.calls, 1);
}

TEST_F(CallPolicyServer, UnaryCallsCarryADeadlineToTheServer) {
  Serve(0);
  UnaryContext context;
  v1::Sweep sweep;
  const auto before = std::chrono::system_clock::now();
  ASSERT_TRUE(stub_->GetSweep(&context, v1::GetSweepRequest(), &sweep).ok());
  EXPECT_GT(service_->deadline, before);
  EXPECT_LT(service_->deadline, before + std::chrono::minutes(2));
}

// `refusals` times refused before it comes to OK; how often it was made.
int CallsMade(int refusals, const absl::Status& refusal, absl::Status* last) {
  int calls = 0;
  *last = CallPatiently([&] { return ++calls <= refusals ? refusal : absl::OkStatus(); });
  return calls;
}

TEST(CallPatiently, ComesAgainWhenItWasToldTo) {
  const absl::Status busy = absl::ResourceExhaustedError("too fast");
  absl::Status last;
  const absl::Time start = absl::Now();
  EXPECT_EQ(CallsMade(2, WithRetryDelay(busy, absl::Milliseconds(50)), &last), 3);
  EXPECT_TRUE(last.ok());
  EXPECT_GE(absl::Now() - start, absl::Milliseconds(100));
  EXPECT_EQ(CallsMade(2, busy, &last), 1);  // such as a quota
  EXPECT_EQ(last, busy);
  EXPECT_EQ(CallsMade(2, WithRetryDelay(busy, absl::Hours(1)), &last), 1);
  EXPECT_EQ(last.code(), busy.code());
}

}  // namespace
}  // namespace kvscope::rpc
