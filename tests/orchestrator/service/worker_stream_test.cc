// Workers that die, hang, come late or send nonsense.
#include "tests/orchestrator/service/service_fixture.h"

namespace kvscope::orchestrator {
namespace {

using ::testing::HasSubstr;

class WorkerStreams : public ServiceTest {
 protected:
  // A running sweep of `passages` units, and the worker that checked it.
  std::unique_ptr<ScriptedWorker> Running(int passages) {
    Create(Spec("sweep", Upload("data", passages)));
    auto worker = std::make_unique<ScriptedWorker>(channel_, "w1");
    worker->Ready();
    worker->AnswerCheck();
    Await("sweep", v1::Sweep::RUNNING);
    return worker;
  }

  void RestartWith(absl::Duration lease, absl::Duration heartbeat) {
    Stop();
    options_.schedule.lease_duration = lease;
    options_.schedule.heartbeat_interval = heartbeat;
    Start();
  }
};

TEST_F(WorkerStreams, ACutStreamGivesItsUnitToAnother) {
  const auto first = Running(1);
  first->Ready();
  const v1::Lease lost = first->ReadLease();
  ScriptedWorker second(channel_, "w2");
  second.Ready();
  first->Cut();
  const v1::Lease lease = second.ReadLease();
  EXPECT_EQ(lease.unit().key(), lost.unit().key());
  EXPECT_GT(lease.token(), lost.token());
  for (int i = 0; i < 500 && Units("sweep")[0].attempts() < 2; ++i) {
    absl::SleepFor(absl::Milliseconds(10));  // lists show a lease a moment after it was given
  }
  EXPECT_EQ(Units("sweep")[0].attempts(), 2);
  EXPECT_EQ(Units("sweep")[0].worker_id(), "w2");
  ScriptedWorker third(channel_, "w1");
  EXPECT_FALSE(third.Finish(lost, "late"));
  EXPECT_TRUE(second.Finish(lease, "right"));
  EXPECT_FALSE(second.Finish(lease, "twice"));
  Await("sweep", v1::Sweep::SUCCEEDED);
  EXPECT_EQ(Answers("sweep")[0].answer(), "right");
}

TEST_F(WorkerStreams, ASilentWorkerLosesItsLease) {
  RestartWith(absl::Seconds(2), absl::Milliseconds(500));
  const auto silent = Running(1);
  silent->Ready();
  const v1::Lease lost = silent->ReadLease();
  ScriptedWorker other(channel_, "w2");
  other.Ready();
  const v1::Lease lease = other.ReadLease();  // once the first one's has expired
  EXPECT_EQ(lease.unit().key(), lost.unit().key());
  EXPECT_EQ(silent->Read().cancel_unit().unit_key(), lost.unit().key());
  silent->Heartbeat(lost, 1);
  EXPECT_EQ(silent->Read().cancel_unit().unit_key(), lost.unit().key());
  EXPECT_FALSE(silent->Finish(lost, "late"));
  EXPECT_TRUE(other.Finish(lease));
}

TEST_F(WorkerStreams, HeartbeatsKeepTheLease) {
  RestartWith(absl::Seconds(2), absl::Milliseconds(500));
  const auto worker = Running(1);
  worker->Ready();
  const v1::Lease lease = worker->ReadLease();
  for (int i = 0; i < 7; ++i) {
    absl::SleepFor(absl::Milliseconds(500));
    worker->Heartbeat(lease, i);
  }
  EXPECT_TRUE(worker->Finish(lease));
}

TEST_F(WorkerStreams, ALostCheckIsMadeByAnother) {
  Create(Spec("sweep", Upload("data", 2)));
  ScriptedWorker first(channel_, "w1");
  first.Ready();
  EXPECT_TRUE(first.Read().has_check());
  ScriptedWorker second(channel_, "w2");
  second.Ready();
  first.Cut();
  second.AnswerCheck();
  Await("sweep", v1::Sweep::RUNNING);
}

TEST_F(WorkerStreams, APoisonousUnitIsSetAsideAndTheRestIsKept) {
  const auto worker = Running(2);
  for (int attempt = 0; attempt < 3; ++attempt) {
    worker->Ready();
    worker->Fail(worker->ReadLease(), "the passage has no end", true);
  }
  worker->WorkOff(1);
  const v1::Sweep ended = Await("sweep", v1::Sweep::FAILED);
  EXPECT_EQ(ended.progress().units_failed(), 1);
  EXPECT_EQ(ended.progress().units_done(), 1);
  EXPECT_THAT(ended.error(), HasSubstr("1 of 2 units"));
  EXPECT_THAT(ended.error(), HasSubstr("the passage has no end"));
  EXPECT_EQ(Units("sweep")[0].state(), v1::UnitStatus::FAILED);
  EXPECT_EQ(Answers("sweep").size(), 8u);
}

TEST_F(WorkerStreams, AReturnedUnitCostsNoAttempt) {
  const auto worker = Running(1);
  for (int i = 0; i < 4; ++i) {
    worker->Ready();
    worker->Return(worker->ReadLease());
  }
  worker->WorkOff(1);
  EXPECT_EQ(Units("sweep")[0].attempts(), 1);
}

TEST_F(WorkerStreams, ALargeResultComesInParts) {
  const auto worker = Running(1);
  worker->Ready();
  const v1::Lease lease = worker->ReadLease();
  const v1::ResultChunk whole = worker->Compute(lease.unit(), std::string(700000, 'a'));
  v1::ResultChunk part;
  *part.mutable_cells() = whole.cells();
  worker->SendPart(lease, part, false);
  for (const v1::AnswerResult& row : whole.answers()) {
    v1::ResultChunk one;
    *one.add_answers() = row;
    worker->SendPart(lease, one, false);
  }
  worker->SendPart(lease, {}, true);
  EXPECT_TRUE(worker->ReadAck());
  const auto rows = Answers("sweep");
  ASSERT_EQ(rows.size(), 8u);
  EXPECT_EQ(rows[7].answer().size(), 700000u);
}

TEST_F(WorkerStreams, AResultOverTheBoundIsRefused) {
  Stop();
  options_.max_result_bytes = 100000;
  Start();
  const auto worker = Running(1);
  worker->Ready();
  const v1::Lease lease = worker->ReadLease();
  EXPECT_FALSE(worker->Finish(lease, std::string(50000, 'a')));
  EXPECT_THAT(Await("sweep", v1::Sweep::FAILED).error(), HasSubstr("more than 100000 bytes"));
}

TEST_F(WorkerStreams, AnIncompleteResultIsAFailedAttempt) {
  const auto worker = Running(1);
  worker->Ready();
  const v1::Lease lease = worker->ReadLease();
  v1::ResultChunk chunk = worker->Compute(lease.unit());
  chunk.mutable_answers()->RemoveLast();
  worker->SendPart(lease, chunk, true);
  EXPECT_FALSE(worker->ReadAck());
  EXPECT_THAT(Units("sweep")[0].error(), HasSubstr("7 answers where 8 are due"));
  worker->WorkOff(1);
  Await("sweep", v1::Sweep::SUCCEEDED);
}

TEST_F(WorkerStreams, PartsOfAnAbandonedResultAreForgotten) {
  const auto worker = Running(2);
  worker->Ready();
  const v1::Lease first = worker->ReadLease();
  worker->SendPart(first, worker->Compute(first.unit()), false);
  worker->Return(first);
  worker->Ready();
  EXPECT_TRUE(worker->Finish(worker->ReadLease()));
  worker->WorkOff(1);
  Await("sweep", v1::Sweep::SUCCEEDED);
}

TEST_F(WorkerStreams, HelloComesFirst) {
  const auto stub = v1::WorkerService::NewStub(channel_);
  grpc::ClientContext context;
  const auto stream = stub->Work(&context);
  v1::WorkerMessage message;
  message.mutable_ready();
  stream->Write(message);
  v1::OrchestratorMessage reply;
  EXPECT_FALSE(stream->Read(&reply));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::FAILED_PRECONDITION);
}

TEST_F(WorkerStreams, DrainLetsWorkersFinishAndTakesNoNewWork) {
  const auto busy = Running(2);
  busy->Ready();
  const v1::Lease lease = busy->ReadLease();
  ScriptedWorker idle(channel_, "w2");
  EXPECT_FALSE(orchestrator_->Drain(absl::Milliseconds(100)));
  EXPECT_TRUE(idle.Read().has_drain());
  EXPECT_TRUE(idle.HangUp().ok());
  EXPECT_TRUE(busy->Read().has_drain());
  EXPECT_TRUE(busy->Finish(lease));
  EXPECT_TRUE(busy->HangUp().ok());
  EXPECT_TRUE(orchestrator_->Drain(absl::Seconds(10)));
  v1::Sweep sweep;
  EXPECT_EQ(TryCreate(Spec("late", {}), "late", &sweep).error_code(),
            grpc::StatusCode::UNAVAILABLE);
  ScriptedWorker late(channel_, "w3");
  EXPECT_EQ(late.End().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(Get("sweep").progress().units_done(), 1);
}

TEST_F(WorkerStreams, ManyWorkersShareASweep) {
  Create(Spec("sweep", Upload("data", 40)));
  ScriptedWorker checker(channel_, "w0");
  checker.Ready();
  checker.AnswerCheck();
  const int units = static_cast<int>(Await("sweep", v1::Sweep::RUNNING).progress().units_total());
  std::vector<std::thread> threads;
  std::atomic<int> recorded = 0;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      ScriptedWorker worker(channel_, absl::StrCat("w", i + 1));
      while (true) {
        worker.Ready();
        const v1::OrchestratorMessage message = worker.Read();
        if (!message.has_lease()) return;  // drained
        if (worker.Finish(message.lease())) ++recorded;
      }
    });
  }
  Await("sweep", v1::Sweep::SUCCEEDED);
  checker.Cut();
  orchestrator_->Drain(absl::Seconds(10));
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(recorded, units);
  EXPECT_EQ(Answers("sweep").size(), 320u);
}

}  // namespace
}  // namespace kvscope::orchestrator
