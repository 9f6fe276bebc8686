#include "services/rpc/call_metrics.h"

#include <gmock/gmock.h>
#include <grpcpp/client_context.h>
#include <grpcpp/impl/client_unary_call.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/time/clock.h"
#include "kvscope/v1/orchestrator.grpc.pb.h"
#include "services/rpc/channel.h"
#include "services/rpc/server.h"
#include "tests/rpc/scrape.h"

namespace kvscope::rpc {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Knows no sweep; a watch lasts until its client goes away.
class Sweeps final : public v1::OrchestratorService::Service {
 public:
  grpc::Status GetSweep(grpc::ServerContext*, const v1::GetSweepRequest* request,
                        v1::Sweep*) override {
    return request->sweep() == "known" ? grpc::Status::OK
                                       : grpc::Status(grpc::StatusCode::NOT_FOUND, "no such sweep");
  }
  grpc::Status WatchSweep(grpc::ServerContext* context, const v1::WatchSweepRequest*,
                          grpc::ServerWriter<v1::Sweep>* writer) override {
    writer->Write({});
    while (!context->IsCancelled()) absl::SleepFor(absl::Milliseconds(5));
    return grpc::Status::CANCELLED;
  }
};

class CallMetrics : public testing::Test {
 protected:
  void SetUp() override {
    grpc::Service* services[] = {&service_};
    auto server = Server::Start({.listen = "127.0.0.1:0"}, services);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    auto channel = Dial(server_->address(), {});
    ASSERT_TRUE(channel.ok());
    stub_ = v1::OrchestratorService::NewStub(*channel);
  }

  // Of a line of the page; -1 if there is none.
  static double Value(const std::string& member) {
    const std::string page = Scrape();
    const size_t at = page.find("\n" + member + " ");
    return at == std::string::npos ? -1 : std::stod(page.substr(at + member.size() + 2));
  }
  static std::string Calls(const std::string& method, const std::string& code) {
    return "kvscope_rpc_calls_total{code=\"" + code + "\"," + Of(method);
  }
  static std::string Of(const std::string& method) {
    return "method=\"" + method + "\",service=\"kvscope.v1.OrchestratorService\"}";
  }

  Sweeps service_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<v1::OrchestratorService::Stub> stub_;
};

TEST_F(CallMetrics, EveryMethodIsThereBeforeItIsCalled) {
  EXPECT_EQ(Value(Calls("DeleteSweep", "OK")), 0);
  EXPECT_EQ(Value(Calls("DeleteSweep", "UNAUTHENTICATED")), 0);
  EXPECT_EQ(Value("kvscope_rpc_call_seconds_count{" + Of("DeleteSweep")), 0);
  EXPECT_THAT(Scrape(), Not(HasSubstr("WorkerService")));  // not served here
}

TEST_F(CallMetrics, UnaryCallsAreCountedByCodeAndTimed) {
  for (const char* sweep : {"known", "unknown", "unknown"}) {
    v1::GetSweepRequest request;
    request.set_sweep(sweep);
    grpc::ClientContext context;
    v1::Sweep response;
    stub_->GetSweep(&context, request, &response).error_code();
  }
  EXPECT_EQ(Value(Calls("GetSweep", "OK")), 1);
  EXPECT_EQ(Value(Calls("GetSweep", "NOT_FOUND")), 2);
  EXPECT_EQ(Value("kvscope_rpc_call_seconds_count{" + Of("GetSweep")), 3);
  EXPECT_EQ(Value("kvscope_rpc_calls_running{" + Of("GetSweep")), 0);
}

TEST_F(CallMetrics, AStreamRunsUntilItsClientGoes) {
  grpc::ClientContext context;
  const auto stream = stub_->WatchSweep(&context, {});
  v1::Sweep sweep;
  ASSERT_TRUE(stream->Read(&sweep));
  EXPECT_EQ(Value("kvscope_rpc_calls_running{" + Of("WatchSweep")), 1);
  context.TryCancel();
  stream->Finish().error_code();
  for (int i = 0; i < 500 && Value(Calls("WatchSweep", "CANCELLED")) < 1; ++i) {
    absl::SleepFor(absl::Milliseconds(10));
  }
  EXPECT_EQ(Value(Calls("WatchSweep", "CANCELLED")), 1);
  EXPECT_EQ(Value("kvscope_rpc_calls_running{" + Of("WatchSweep")), 0);
  EXPECT_EQ(Value("kvscope_rpc_call_seconds_count{" + Of("WatchSweep")), -1);  // not timed
}

TEST_F(CallMetrics, UnknownMethodsAddNoLabels) {
  grpc::ClientContext context;
  v1::Sweep response;
  const grpc::internal::RpcMethod method("/kvscope.v1.OrchestratorService/Nonsense",
                                         grpc::internal::RpcMethod::NORMAL_RPC);
  const auto channel = Dial(server_->address(), {});
  ASSERT_TRUE(channel.ok());
  const grpc::Status status = grpc::internal::BlockingUnaryCall(channel->get(), method, &context,
                                                                v1::GetSweepRequest(), &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_THAT(Scrape(), Not(HasSubstr("Nonsense")));
}

}  // namespace
}  // namespace kvscope::rpc
