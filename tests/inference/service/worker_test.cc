// A worker against an orchestrator that the test plays.
#include "services/inference/service/worker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "absl/time/clock.h"
#include "kvscope/v1/worker.grpc.pb.h"
#include "services/inference/service/code_version.h"
#include "services/rpc/server.h"
#include "tests/inference/service/pocket_unit.h"

namespace kvscope::inference {
namespace {

using ::testing::HasSubstr;
using v1::OrchestratorMessage;
using v1::WorkerMessage;

constexpr auto kPatience = std::chrono::seconds(60);

// Welcomes every worker; the test reads what it says with Next and answers with Say.
class PlayedOrchestrator final : public v1::WorkerService::Service {
 public:
  using Stream = grpc::ServerReaderWriter<OrchestratorMessage, WorkerMessage>;

  grpc::Status Work(grpc::ServerContext* context, Stream* stream) override {
    WorkerMessage hello;
    if (!stream->Read(&hello)) return grpc::Status::OK;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      ++streams_;
      hello_ = hello.hello();
      stream_ = stream;
      context_ = context;
      changed_.notify_all();
      if (!refusal_.ok()) return refusal_;
    }
    OrchestratorMessage welcome;
    welcome.mutable_welcome()->mutable_heartbeat_interval()->set_nanos(20'000'000);
    welcome.mutable_welcome()->mutable_lease_duration()->set_seconds(1);
    stream->Write(welcome);
    WorkerMessage message;
    while (stream->Read(&message)) {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (message.has_heartbeat()) {
        ++heartbeats_;
      } else {
        said_.push_back(message);
      }
      changed_.notify_all();
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    stream_ = nullptr;
    cut_off_ = context->IsCancelled();
    ++ends_;
    changed_.notify_all();
    return grpc::Status::OK;
  }

  // The next message but heartbeats.
  WorkerMessage Next() {
    std::unique_lock<std::mutex> lock(mutex_);
    if (!changed_.wait_for(lock, kPatience, [this] { return !said_.empty(); })) {
      ADD_FAILURE() << "the worker is silent";
      return {};
    }
    WorkerMessage message = std::move(said_.front());
    said_.pop_front();
    return message;
  }

  void Say(const OrchestratorMessage& message) {
    const std::lock_guard<std::mutex> lock(mutex_);
    ASSERT_NE(stream_, nullptr);
    stream_->Write(message);
  }

  void Lease(const v1::Unit& unit, int64_t token) {
    OrchestratorMessage message;
    *message.mutable_lease()->mutable_unit() = unit;
    message.mutable_lease()->set_token(token);
    Say(message);
  }

  template <typename Condition>
  bool WaitFor(const Condition& condition) {
    std::unique_lock<std::mutex> lock(mutex_);
    return changed_.wait_for(lock, kPatience, condition);
  }
  bool WaitForHeartbeats(int count) {
    return WaitFor([&] { return heartbeats_ >= count; });
  }
  bool WaitForStreams(int count) {
    return WaitFor([&] { return streams_ >= count; });
  }
  bool WaitForEnds(int count) {
    return WaitFor([&] { return ends_ >= count; });
  }

  void CutStream() {
    const std::lock_guard<std::mutex> lock(mutex_);
    context_->TryCancel();
  }
  void Refuse(const grpc::Status& status) {
    const std::lock_guard<std::mutex> lock(mutex_);
    refusal_ = status;
  }
  v1::Hello hello() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return hello_;
  }
  bool cut_off() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return cut_off_;
  }
  bool silent() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return said_.empty();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<WorkerMessage> said_;
  Stream* stream_ = nullptr;
  grpc::ServerContext* context_ = nullptr;
  grpc::Status refusal_;
  v1::Hello hello_;
  int streams_ = 0, ends_ = 0, heartbeats_ = 0;
  bool cut_off_ = false;
};

class WorkerTest : public testing::Test {
 protected:
  void SetUp() override {
    grpc::Service* const services[] = {&orchestrator_};
    auto server = rpc::Server::Start({}, services);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    worker_ = std::make_unique<Worker>(
        server_->InProcessChannel(), runner_,
        WorkerOptions{.worker_id = "w1", .devices = {"cpu"}, .threads = 1},
        [this](const absl::Status& status) { refused_.set_value(std::string(status.message())); });
  }

  // A unit that keeps the worker busy for long.
  static v1::Unit LongUnit() {
    v1::Unit unit = PocketUnit();
    for (int i = 0; i < 300; ++i) {
      unit.add_passages()->CopyFrom(unit.passages(0));
    }
    return unit;
  }

  MetricsServer metrics_;
  EngineCache cache_{kModelsDir};
  UnitRunner runner_{cache_, metrics_.channel(), "cpu"};
  PlayedOrchestrator orchestrator_;
  std::unique_ptr<rpc::Server> server_;
  std::promise<std::string> refused_;
  std::unique_ptr<Worker> worker_;
};

TEST_F(WorkerTest, ComputesALeaseAndAsksForTheNext) {
  EXPECT_TRUE(orchestrator_.Next().has_ready());
  EXPECT_EQ(orchestrator_.hello().worker_id(), "w1");
  EXPECT_EQ(orchestrator_.hello().code_version(), CodeVersion());
  EXPECT_EQ(orchestrator_.hello().devices(0), "cpu");
  orchestrator_.Lease(PocketUnit(), 41);
  v1::ResultChunk all;
  WorkerMessage message;
  do {
    message = orchestrator_.Next();
    ASSERT_TRUE(message.has_result_part());
    EXPECT_EQ(message.result_part().unit_key(), "unit-key");
    EXPECT_EQ(message.result_part().token(), 41);
    all.MergeFrom(message.result_part().chunk());
  } while (!message.result_part().last_part());
  EXPECT_EQ(all.answers_size(), 16);
  EXPECT_TRUE(orchestrator_.Next().has_ready());
}

TEST_F(WorkerTest, HeartbeatsWhileItComputesAndStopsWhenTold) {
  EXPECT_TRUE(orchestrator_.Next().has_ready());
  orchestrator_.Lease(LongUnit(), 1);
  EXPECT_TRUE(orchestrator_.WaitForHeartbeats(3));
  OrchestratorMessage cancel;
  cancel.mutable_cancel_unit()->set_unit_key("unit-key");
  orchestrator_.Say(cancel);
  WorkerMessage message = orchestrator_.Next();
  while (message.has_result_part()) {
    EXPECT_FALSE(message.result_part().last_part());
    message = orchestrator_.Next();
  }
  EXPECT_TRUE(message.has_ready());
}

TEST_F(WorkerTest, TellsAFailureThatNoWorkerCanMend) {
  EXPECT_TRUE(orchestrator_.Next().has_ready());
  v1::Unit unit = PocketUnit();
  unit.set_presses(0, "snapkw");
  orchestrator_.Lease(unit, 7);
  const WorkerMessage message = orchestrator_.Next();
  ASSERT_TRUE(message.has_unit_failed());
  EXPECT_EQ(message.unit_failed().token(), 7);
  EXPECT_FALSE(message.unit_failed().retryable());
  EXPECT_THAT(message.unit_failed().error(), HasSubstr("snapkw"));
  EXPECT_TRUE(orchestrator_.Next().has_ready());
  unit = PocketUnit();
  unit.set_model("absent");
  orchestrator_.Lease(unit, 8);
  EXPECT_TRUE(orchestrator_.Next().unit_failed().retryable());
}

TEST_F(WorkerTest, ChecksASweepPartByPart) {
  EXPECT_TRUE(orchestrator_.Next().has_ready());
  OrchestratorMessage message;
  v1::CheckPart* part = message.mutable_check();
  part->set_sweep_id("5eed");
  part->mutable_spec()->set_model("pocket-llama");
  part->mutable_spec()->add_regimes(v1::AGNOSTIC);
  part->mutable_spec()->add_presses("knorm");
  part->mutable_spec()->add_ratios(0.5);
  part->mutable_spec()->set_max_new_tokens(4);
  orchestrator_.Say(message);
  for (int i = 0; i < 30; ++i) {
    message.Clear();
    *message.mutable_check()->add_passages() = PocketUnit().passages(0);
    message.mutable_check()->set_last_part(i == 29);
    orchestrator_.Say(message);
  }
  const WorkerMessage reply = orchestrator_.Next();
  ASSERT_TRUE(reply.has_check_reply());
  EXPECT_EQ(reply.check_reply().error(), "");
  EXPECT_EQ(reply.check_reply().context_tokens_total(),
            30 * reply.check_reply().context_tokens_max());
  EXPECT_TRUE(orchestrator_.Next().has_ready());
}

TEST_F(WorkerTest, ALineThatBreaksIsDialledAgainAndTheUnitDropped) {
  EXPECT_TRUE(orchestrator_.Next().has_ready());
  orchestrator_.Lease(LongUnit(), 1);
  EXPECT_TRUE(orchestrator_.WaitForHeartbeats(1));
  orchestrator_.CutStream();
  EXPECT_TRUE(orchestrator_.WaitForStreams(2));
  WorkerMessage message = orchestrator_.Next();
  while (message.has_result_part()) message = orchestrator_.Next();
  EXPECT_TRUE(message.has_ready());
}

TEST_F(WorkerTest, ADrainFinishesTheUnitAndHangsUp) {
  EXPECT_TRUE(orchestrator_.Next().has_ready());
  v1::Unit unit = PocketUnit();
  for (int i = 0; i < 10; ++i) unit.add_passages()->CopyFrom(unit.passages(0));
  orchestrator_.Lease(unit, 3);
  EXPECT_TRUE(orchestrator_.WaitForHeartbeats(1));
  worker_->Drain(absl::Seconds(60));
  EXPECT_TRUE(orchestrator_.WaitForEnds(1));
  EXPECT_FALSE(orchestrator_.cut_off());
  WorkerMessage message = orchestrator_.Next();
  while (message.has_result_part() && !message.result_part().last_part()) {
    message = orchestrator_.Next();
  }
  EXPECT_TRUE(message.result_part().last_part()) << message.DebugString();
  EXPECT_TRUE(orchestrator_.silent());
}

TEST_F(WorkerTest, ADrainThatTakesTooLongGivesTheUnitBack) {
  EXPECT_TRUE(orchestrator_.Next().has_ready());
  orchestrator_.Lease(LongUnit(), 3);
  EXPECT_TRUE(orchestrator_.WaitForHeartbeats(1));
  worker_->Drain(absl::ZeroDuration());
  WorkerMessage message = orchestrator_.Next();
  while (message.has_result_part()) {
    EXPECT_FALSE(message.result_part().last_part());
    message = orchestrator_.Next();
  }
  ASSERT_TRUE(message.has_unit_returned()) << message.DebugString();
  EXPECT_EQ(message.unit_returned().token(), 3);
  EXPECT_TRUE(orchestrator_.WaitForEnds(1));
}

TEST_F(WorkerTest, AnIdleWorkerDrainsAtOnce) {
  EXPECT_TRUE(orchestrator_.Next().has_ready());
  const absl::Time begin = absl::Now();
  worker_->Drain(absl::Seconds(60));
  EXPECT_LT(absl::Now() - begin, absl::Seconds(5));
  EXPECT_TRUE(orchestrator_.WaitForEnds(1));
  EXPECT_FALSE(orchestrator_.cut_off());
}

TEST_F(WorkerTest, AKilledWorkerSaysNothingMore) {
  EXPECT_TRUE(orchestrator_.Next().has_ready());
  orchestrator_.Lease(LongUnit(), 3);
  EXPECT_TRUE(orchestrator_.WaitForHeartbeats(1));
  worker_->Kill();
  EXPECT_TRUE(orchestrator_.WaitForEnds(1));
  EXPECT_TRUE(orchestrator_.cut_off());
  worker_.reset();
  while (!orchestrator_.silent()) EXPECT_TRUE(orchestrator_.Next().has_result_part());
}

TEST_F(WorkerTest, ARefusedWorkerDoesNotComeAgain) {
  EXPECT_TRUE(orchestrator_.Next().has_ready());
  orchestrator_.Refuse({grpc::StatusCode::FAILED_PRECONDITION, "another code version"});
  orchestrator_.CutStream();
  std::future<std::string> refused = refused_.get_future();
  ASSERT_EQ(refused.wait_for(kPatience), std::future_status::ready);
  EXPECT_THAT(refused.get(), HasSubstr("another code version"));
  worker_->Drain(absl::Seconds(60));  // has ended already
}

TEST_F(WorkerTest, AWorkerOutlivesADrainingOrchestrator) {
  EXPECT_TRUE(orchestrator_.Next().has_ready());
  OrchestratorMessage drain;
  drain.mutable_drain();
  orchestrator_.Say(drain);
  EXPECT_TRUE(orchestrator_.WaitForEnds(1));
  EXPECT_TRUE(orchestrator_.WaitForStreams(2));
  EXPECT_TRUE(orchestrator_.Next().has_ready());
}

}  // namespace
}  // namespace kvscope::inference
