#include "services/rpc/server.h"

#include <gmock/gmock.h>
#include <grpcpp/client_context.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "kvscope/v1/metrics.grpc.pb.h"
#include "services/rpc/channel.h"
#include "services/rpc/grpc_status.h"

namespace kvscope::rpc {
namespace {

using ::testing::HasSubstr;

// Answers each record with a PassageMetrics of `kept_pair_count` = the record's size; after the
// first it waits while `hold` is set.
class Echo final : public v1::MetricsService::Service {
  using Stream = grpc::ServerReaderWriter<v1::PassageMetrics, v1::SurvivalRecord>;

 public:
  grpc::Status MeasureUnit(grpc::ServerContext* context, Stream* stream) override {
    v1::SurvivalRecord record;
    while (stream->Read(&record)) {
      entered = true;
      v1::PassageMetrics metrics;
      metrics.add_cells()->set_kept_pair_count(record.cell().keep_bits().size());
      stream->Write(metrics);
      while (hold && !context->IsCancelled()) absl::SleepFor(absl::Milliseconds(5));
      was_cancelled = context->IsCancelled();
    }
    return grpc::Status::OK;
  }

  std::atomic<bool> hold = false;
  std::atomic<bool> entered = false;
  std::atomic<bool> was_cancelled = false;
};

// Sends one record of `bytes` and returns what the call came to; `echoed` gets the answer.
absl::Status Send(const std::shared_ptr<grpc::Channel>& channel, int bytes, int64_t* echoed) {
  const auto stub = v1::MetricsService::NewStub(channel);
  grpc::ClientContext context;
  const auto stream = stub->MeasureUnit(&context);
  v1::SurvivalRecord record;
  record.mutable_cell()->set_keep_bits(std::string(bytes, 'k'));
  stream->Write(record);
  stream->WritesDone();
  v1::PassageMetrics metrics;
  if (stream->Read(&metrics)) *echoed = metrics.cells(0).kept_pair_count();
  return FromGrpc(stream->Finish());
}

std::unique_ptr<Server> StartEcho(Echo& echo, const std::string& listen) {
  grpc::Service* services[] = {&echo};
  auto server = Server::Start({.listen = listen}, services);
  EXPECT_TRUE(server.ok()) << server.status();
  return server.ok() ? *std::move(server) : nullptr;
}

TEST(Server, AnswersOverBothTransportsWithinTheSameLimits) {
  Echo echo;
  const auto server = StartEcho(echo, "127.0.0.1:0");
  ASSERT_NE(server, nullptr);
  EXPECT_EQ(server->address(), absl::StrCat("127.0.0.1:", server->port()));
  const auto dialled = Dial(server->address(), {});
  ASSERT_TRUE(dialled.ok());
  ASSERT_TRUE(WaitForConnected(**dialled, server->address(), absl::Seconds(10)).ok());
  for (const auto& channel : {*dialled, server->InProcessChannel()}) {
    int64_t echoed = 0;
    EXPECT_TRUE(Send(channel, 3 << 20, &echoed).ok());
    EXPECT_EQ(echoed, 3 << 20);
    EXPECT_EQ(Send(channel, 5 << 20, &echoed).code(), absl::StatusCode::kResourceExhausted);
  }
}

TEST(Server, AnInProcessServerNeedsNoAddress) {
  Echo echo;
  const auto server = StartEcho(echo, "");
  ASSERT_NE(server, nullptr);
  EXPECT_EQ(server->address(), "");
  int64_t echoed = 0;
  EXPECT_TRUE(Send(server->InProcessChannel(), 10, &echoed).ok());
  EXPECT_EQ(echoed, 10);
}

TEST(Server, ATakenPortIsNamed) {
  Echo first, second;
  const auto server = StartEcho(first, "127.0.0.1:0");
  ASSERT_NE(server, nullptr);
  grpc::Service* services[] = {&second};
  const auto again = Server::Start({.listen = server->address()}, services);
  ASSERT_EQ(again.status().code(), absl::StatusCode::kUnavailable);
  const std::string message(again.status().message());
  EXPECT_THAT(message, HasSubstr(server->address()));
  EXPECT_THAT(message, HasSubstr("in use"));
}

TEST(Server, RefusesPlaintextBeyondLoopback) {
  Echo echo;
  grpc::Service* services[] = {&echo};
  const auto server = Server::Start({.listen = "0.0.0.0:0"}, services);
  EXPECT_EQ(server.status().code(), absl::StatusCode::kInvalidArgument);
}

// A call beyond that waits until another ends.
TEST(Server, AConnectionHasSoManyCallsAtATime) {
  constexpr int kMost = 256;
  Echo echo;
  const auto server = StartEcho(echo, "127.0.0.1:0");
  ASSERT_NE(server, nullptr);
  const auto channel = *Dial(server->address(), {});
  ASSERT_TRUE(WaitForConnected(*channel, server->address(), absl::Seconds(10)).ok());
  struct Call {
    Call(v1::MetricsService::Stub& stub, absl::Duration patience) {
      context.set_deadline(absl::ToChronoTime(absl::Now() + patience));
      stream = stub.MeasureUnit(&context);
      v1::PassageMetrics metrics;
      answered = stream->Write(v1::SurvivalRecord()) && stream->Read(&metrics);
    }
    absl::Status End() {
      stream->WritesDone();
      return FromGrpc(stream->Finish());
    }
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReaderWriter<v1::SurvivalRecord, v1::PassageMetrics>> stream;
    bool answered = false;
  };
  const auto stub = v1::MetricsService::NewStub(channel);
  std::vector<std::unique_ptr<Call>> open;
  for (int i = 0; i < kMost; ++i) {
    open.push_back(std::make_unique<Call>(*stub, absl::Seconds(60)));
    ASSERT_TRUE(open.back()->answered) << i;
  }
  EXPECT_FALSE(Call(*stub, absl::Milliseconds(300)).answered);
  EXPECT_TRUE(open.back()->End().ok());
  open.pop_back();
  Call next(*stub, absl::Seconds(20));
  EXPECT_TRUE(next.answered);
  EXPECT_TRUE(next.End().ok());
  for (const auto& call : open) EXPECT_TRUE(call->End().ok());
}

TEST(Server, ShutdownWaitsForARunningCallAndThenCancelsIt) {
  Echo echo;
  echo.hold = true;
  const auto server = StartEcho(echo, "127.0.0.1:0");
  ASSERT_NE(server, nullptr);
  const auto channel = *Dial(server->address(), {});
  int64_t echoed = 0;
  absl::Status outcome;
  std::thread caller([&] { outcome = Send(channel, 1, &echoed); });
  while (!echo.entered) absl::SleepFor(absl::Milliseconds(5));
  const absl::Time begin = absl::Now();
  server->Shutdown(absl::Milliseconds(200));
  EXPECT_GE(absl::Now() - begin, absl::Milliseconds(190));
  EXPECT_LT(absl::Now() - begin, absl::Seconds(30));
  caller.join();
  EXPECT_TRUE(echo.was_cancelled);
  EXPECT_FALSE(outcome.ok());
}

TEST(Channel, SaysWhereNobodyAnswers) {
  Echo echo;
  auto server = StartEcho(echo, "127.0.0.1:0");
  ASSERT_NE(server, nullptr);
  const std::string address = server->address();
  server.reset();
  const auto channel = *Dial(address, {});
  const absl::Status status = WaitForConnected(*channel, address, absl::Milliseconds(300));
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr(address));
}

}  // namespace
}  // namespace kvscope::rpc
