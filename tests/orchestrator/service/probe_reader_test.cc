// What a client's deadline means for the metrics service that its call needs.
#include <atomic>
#include <chrono>
#include <thread>

#include "kvscope/v1/metrics.grpc.pb.h"
#include "services/rpc/channel.h"
#include "tests/orchestrator/service/service_fixture.h"

namespace kvscope::orchestrator {
namespace {

using Clock = std::chrono::system_clock;

// Fits for as long as somebody waits.
class Endless final : public v1::MetricsService::Service {
 public:
  grpc::Status FitProbes(grpc::ServerContext* context, const v1::FitProbesRequest*,
                         grpc::ServerWriter<v1::ProbeFit>*) override {
    deadline = context->deadline();
    while (!context->IsCancelled()) absl::SleepFor(absl::Milliseconds(5));
    ended = true;
    return grpc::Status::CANCELLED;
  }

  std::atomic<Clock::time_point> deadline = Clock::time_point::max();
  std::atomic<bool> ended = false;
};

class ProbeReaderTest : public ServiceTest {
 protected:
  ProbeReaderTest() {
    grpc::Service* services[] = {&endless_};
    metrics_ = *rpc::Server::Start({.listen = "127.0.0.1:0"}, services);
    Stop();
    options_.metrics = *rpc::Dial(metrics_->address(), {});
    Start();
    v1::SweepSpec spec = Spec("probed", Upload("data", 1));
    spec.mutable_capture()->set_probe_pool("mean");
    Create(spec);
    ScriptedWorker worker(channel_, "w1");
    worker.Ready();
    worker.AnswerCheck();
    worker.WorkOff(1);
    Await("probed", v1::Sweep::SUCCEEDED);
  }
  ~ProbeReaderTest() override { Stop(); }

  grpc::Status Read(grpc::ClientContext& context) {
    v1::StreamProbesRequest request;
    request.set_sweep("probed");
    const auto reader = stub_->StreamProbes(&context, request);
    v1::ProbeRow row;
    EXPECT_FALSE(reader->Read(&row));
    return reader->Finish();
  }

  bool ServiceStops() {
    for (int i = 0; i < 1000 && !endless_.ended; ++i) absl::SleepFor(absl::Milliseconds(10));
    return endless_.ended;
  }

  Endless endless_;
  std::unique_ptr<rpc::Server> metrics_;
};

TEST_F(ProbeReaderTest, TheClientsDeadlineIsTheMetricsServicesToo) {
  grpc::ClientContext context;
  const Clock::time_point deadline = Clock::now() + std::chrono::seconds(2);
  context.set_deadline(deadline);
  EXPECT_EQ(Read(context).error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_TRUE(ServiceStops());
  const auto apart = endless_.deadline.load() - deadline;  // it travels as a duration
  EXPECT_LT(std::chrono::abs(apart), std::chrono::seconds(1));
}

TEST_F(ProbeReaderTest, AClientThatLeavesEndsTheFit) {
  grpc::ClientContext context;
  std::thread leaver([&] {
    while (endless_.deadline.load() == Clock::time_point::max()) {
      absl::SleepFor(absl::Milliseconds(5));
    }
    context.TryCancel();
  });
  EXPECT_EQ(Read(context).error_code(), grpc::StatusCode::CANCELLED);
  leaver.join();
  EXPECT_TRUE(ServiceStops());
}

}  // namespace
}  // namespace kvscope::orchestrator
