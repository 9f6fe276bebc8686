// A sweep's life as a client sees it, with workers that behave.
#include <future>

#include "tests/orchestrator/service/service_fixture.h"

namespace kvscope::orchestrator {
namespace {

using ::testing::HasSubstr;

class SweepLife : public ServiceTest {};

TEST_F(SweepLife, FromUploadToAnswers) {
  const v1::Dataset dataset = Upload("knowledge", 3);
  EXPECT_EQ(dataset.name(), "knowledge");
  EXPECT_EQ(dataset.passage_count(), 3);
  EXPECT_EQ(dataset.question_count(), 6);
  const v1::Sweep created = Create(Spec("life", dataset));
  EXPECT_EQ(created.id().size(), 16u);
  EXPECT_EQ(created.state(), v1::Sweep::CHECKING);

  ScriptedWorker worker(channel_, "w1");
  EXPECT_EQ(worker.welcome().lease_duration().seconds(), 60);
  worker.Ready();
  worker.AnswerCheck();
  EXPECT_EQ(worker.checked_passages(), 3);
  const v1::Sweep running = Await("life", v1::Sweep::RUNNING);
  EXPECT_EQ(running.progress().units_total(), 3);
  EXPECT_EQ(running.progress().streams_total(), 24);
  EXPECT_EQ(running.progress().workers(), 1);
  EXPECT_EQ(running.model().name(), "tiny");

  worker.Ready();
  const v1::Lease lease = worker.ReadLease();
  EXPECT_EQ(lease.sweep_id(), created.id());
  EXPECT_EQ(lease.unit().passages_size(), 1);
  EXPECT_EQ(lease.unit().passages(0).dataset(), "knowledge");
  EXPECT_EQ(lease.unit().passages(0).questions(1).answer(), "gold 0.1");
  EXPECT_EQ(lease.unit().device(), "cpu");
  EXPECT_EQ(lease.unit().weights_digest(), "weights of tiny-model");
  EXPECT_EQ(lease.unit().key().size(), 64u);
  EXPECT_TRUE(worker.Finish(lease));
  worker.WorkOff(2);

  const v1::Sweep ended = Await(created.id(), v1::Sweep::SUCCEEDED);
  EXPECT_EQ(ended.progress().streams_done(), 24);
  EXPECT_GT(ended.end_time().seconds(), 0);
  const std::vector<v1::AnswerRow> rows = Answers("life");
  ASSERT_EQ(rows.size(), 24u);
  EXPECT_EQ(rows[0].press(), "snapkv");
  EXPECT_EQ(rows[2].compression_ratio(), 0.5);
  EXPECT_EQ(rows[4].press(), "random");
  EXPECT_EQ(rows[23].passage_id(), "p2");
  EXPECT_EQ(rows[23].question().answer(), "gold 2.1");
  EXPECT_EQ(rows[23].question().question_id(), "p2-01");
  EXPECT_EQ(rows[23].metrics().f1(), 0.5);
  EXPECT_EQ(rows[23].kept_ratio(), 0.5);
  EXPECT_EQ(rows[23].model(), "tiny");
  EXPECT_TRUE(worker.HangUp().ok());
}

TEST_F(SweepLife, EveryModelRunsTheWholeGrid) {
  const v1::Dataset dataset = Upload("data", 2);
  v1::SweepSpec spec = Spec("both", dataset);
  spec.add_more_models("other-model");
  Create(spec);
  ScriptedWorker worker(channel_, "w1");
  worker.Ready();
  worker.AnswerCheck();
  const v1::Sweep running = Await("both", v1::Sweep::RUNNING);
  EXPECT_EQ(running.progress().streams_total(), 32);
  EXPECT_EQ(running.model().name(), "tiny");
  ASSERT_EQ(running.more_models_size(), 1);
  EXPECT_EQ(running.more_models(0).weights_digest(), "weights of other-model");
  for (const char* model : {"tiny-model", "tiny-model", "other-model", "other-model"}) {
    worker.Ready();
    const v1::Lease lease = worker.ReadLease();
    EXPECT_EQ(lease.unit().model(), model);
    EXPECT_EQ(lease.unit().weights_digest(), absl::StrCat("weights of ", model));
    EXPECT_TRUE(worker.Finish(lease, absl::StrCat("by ", model)));
  }
  Await("both", v1::Sweep::SUCCEEDED);
  const std::vector<v1::AnswerRow> rows = Answers("both");
  ASSERT_EQ(rows.size(), 32u);
  EXPECT_EQ(rows[15].model(), "tiny");
  EXPECT_EQ(rows[15].answer(), "by tiny-model");
  EXPECT_EQ(rows[16].model(), "other-model");
  EXPECT_EQ(rows[16].answer(), "by other-model");
  EXPECT_EQ(Units("both")[3].model(), "other-model");

  v1::SweepSpec alone = Spec("alone", dataset);
  alone.set_model("other-model");
  Create(alone);
  worker.Ready();
  worker.AnswerCheck();
  EXPECT_EQ(Await("alone", v1::Sweep::SUCCEEDED).progress().units_reused(), 2);
}

TEST_F(SweepLife, ACheckMustAnswerForEveryModel) {
  v1::SweepSpec spec = Spec("half", Upload("data", 2));
  spec.add_more_models("other-model");
  Create(spec);
  ScriptedWorker worker(channel_, "w1");
  worker.Ready();
  worker.AnswerCheck("", [](v1::CheckReply& reply) { reply.clear_more_models(); });
  EXPECT_THAT(Await("half", v1::Sweep::FAILED).error(), HasSubstr("1 models of 2"));

  spec.set_name("mixed");
  Create(spec);
  worker.Ready();
  worker.AnswerCheck("", [](v1::CheckReply& reply) {
    reply.mutable_more_models(0)->mutable_model()->set_device("cuda");
  });
  EXPECT_THAT(Await("mixed", v1::Sweep::FAILED).error(), HasSubstr("device cuda"));
}

TEST_F(SweepLife, WatchShowsEveryStateAndEnds) {
  Create(Spec("watched", Upload("data", 2)));
  auto watched = std::async(std::launch::async, [this] {
    grpc::ClientContext context;
    v1::WatchSweepRequest request;
    request.set_sweep("watched");
    auto reader = stub_->WatchSweep(&context, request);
    std::string states;
    int64_t streams = 0;
    v1::Sweep sweep;
    while (reader->Read(&sweep)) {
      const std::string state = v1::Sweep::State_Name(sweep.state());
      if (states.find(state) == std::string::npos) states += state + " ";
      EXPECT_GE(sweep.progress().streams_done(), streams);
      streams = sweep.progress().streams_done();
    }
    EXPECT_TRUE(reader->Finish().ok());
    EXPECT_EQ(streams, 16);
    return states;
  });
  absl::SleepFor(absl::Milliseconds(300));
  ScriptedWorker worker(channel_, "w1");
  worker.Ready();
  worker.AnswerCheck();
  worker.Ready();
  const v1::Lease lease = worker.ReadLease();
  worker.Heartbeat(lease, 5);
  absl::SleepFor(absl::Milliseconds(500));
  EXPECT_EQ(Get("watched").progress().streams_done(), 5);
  EXPECT_TRUE(worker.Finish(lease));
  worker.WorkOff(1);
  EXPECT_EQ(watched.get(), "CHECKING RUNNING SUCCEEDED ");
}

TEST_F(SweepLife, RepeatedRequestsHaveOneEffect) {
  const v1::Dataset dataset = Upload("data", 2);
  v1::SweepSpec spec = Spec("once", dataset);
  const v1::Sweep first = Create(spec, "r1");
  EXPECT_EQ(Create(spec, "r1").id(), first.id());
  v1::Sweep sweep;
  spec.add_ratios(0.9);
  EXPECT_EQ(TryCreate(spec, "r1", &sweep).error_code(), grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_EQ(TryCreate(spec, "", &sweep).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_NE(Create(spec, "r2").id(), first.id());
  // Two sweeps of one name: only their ids tell them apart.
  grpc::ClientContext context;
  v1::GetSweepRequest request;
  request.set_sweep("once");
  EXPECT_EQ(stub_->GetSweep(&context, request, &sweep).error_code(),
            grpc::StatusCode::FAILED_PRECONDITION);
}

TEST_F(SweepLife, EqualDataIsStoredOnce) {
  const v1::Dataset first = Upload("one", 3);
  const v1::Dataset second = Upload("one", 3);
  EXPECT_EQ(first.digest(), second.digest());
  EXPECT_NE(Upload("one", 4).digest(), first.digest());
}

TEST_F(SweepLife, ARefusedCheckFailsTheSweep) {
  Create(Spec("bad", Upload("data", 2)));
  ScriptedWorker worker(channel_, "w1");
  worker.Ready();
  worker.AnswerCheck("presses[0]: no press is called snapvk");
  EXPECT_THAT(Await("bad", v1::Sweep::FAILED).error(), HasSubstr("no press is called snapvk"));
}

TEST_F(SweepLife, TheCheckSeesAllPassagesInPartsOfBoundedSize) {
  const v1::Dataset dataset = Upload("large", 12, 1, 400000);
  v1::SweepSpec spec = Spec("large", dataset);
  *spec.add_datasets() = Upload("small", 3);
  Create(spec);
  ScriptedWorker worker(channel_, "w1");
  worker.Ready();
  worker.AnswerCheck();
  EXPECT_EQ(worker.checked_passages(), 15);
  EXPECT_GE(worker.check_parts(), 6);
  Await("large", v1::Sweep::RUNNING);
}

TEST_F(SweepLife, ASecondSweepReusesEqualUnits) {
  const v1::Dataset dataset = Upload("data", 3);
  Create(Spec("first", dataset));
  ScriptedWorker worker(channel_, "w1");
  worker.Ready();
  worker.AnswerCheck();
  worker.WorkOff(3);
  Await("first", v1::Sweep::SUCCEEDED);

  Create(Spec("second", dataset));
  worker.Ready();
  worker.AnswerCheck();
  const v1::Sweep second = Await("second", v1::Sweep::SUCCEEDED);
  EXPECT_EQ(second.progress().units_reused(), 3);
  EXPECT_EQ(Answers("second").size(), 24u);
  EXPECT_EQ(Answers("second")[0].sweep_id(), second.id());

  v1::SweepSpec other = Spec("other", dataset);
  other.set_max_new_tokens(9);
  Create(other);
  worker.Ready();
  worker.AnswerCheck();
  EXPECT_EQ(Await("other", v1::Sweep::RUNNING).progress().units_reused(), 0);
}

TEST_F(SweepLife, GoesOnAfterARestart) {
  const v1::Sweep created = Create(Spec("restart", Upload("data", 4)));
  v1::Lease held;
  {
    ScriptedWorker worker(channel_, "w1");
    worker.Ready();
    worker.AnswerCheck();
    worker.WorkOff(1);
    worker.Ready();
    held = worker.ReadLease();
    worker.Cut();
  }
  Stop();
  Start();
  const v1::Sweep restarted = Get("restart");
  EXPECT_EQ(restarted.state(), v1::Sweep::RUNNING);
  EXPECT_EQ(restarted.progress().units_done(), 1);
  EXPECT_EQ(restarted.id(), created.id());
  ScriptedWorker worker(channel_, "w1");
  EXPECT_FALSE(worker.Finish(held));  // a lease of the process before
  worker.WorkOff(3);
  Await("restart", v1::Sweep::SUCCEEDED);
  EXPECT_EQ(Answers("restart").size(), 32u);
}

TEST_F(SweepLife, CancelledAndResumed) {
  Create(Spec("stop", Upload("data", 3)));
  ScriptedWorker worker(channel_, "w1");
  worker.Ready();
  worker.AnswerCheck();
  worker.WorkOff(1);
  worker.Ready();
  const v1::Lease lease = worker.ReadLease();
  EXPECT_EQ(Cancel("stop").state(), v1::Sweep::CANCELLED);
  const v1::OrchestratorMessage message = worker.Read();
  EXPECT_EQ(message.cancel_unit().unit_key(), lease.unit().key());
  EXPECT_FALSE(worker.Finish(lease));
  EXPECT_EQ(Answers("stop").size(), 8u);  // what is recorded stays
  EXPECT_EQ(Cancel("stop").state(), v1::Sweep::CANCELLED);

  worker.Ready();
  EXPECT_EQ(Resume("stop").state(), v1::Sweep::CHECKING);
  worker.AnswerCheck();
  worker.WorkOff(2);
  const v1::Sweep ended = Await("stop", v1::Sweep::SUCCEEDED);
  EXPECT_EQ(ended.progress().units_done(), 3);
  EXPECT_EQ(Resume("stop").state(), v1::Sweep::SUCCEEDED);
}

TEST_F(SweepLife, DeletedSweepsAreGone) {
  const v1::Sweep created = Create(Spec("gone", Upload("data", 1)));
  const auto remove = [&](const std::string& request_id) {
    grpc::ClientContext context;
    v1::DeleteSweepRequest request;
    request.set_sweep("gone");
    request.set_request_id(request_id);
    v1::DeleteSweepResponse response;
    return stub_->DeleteSweep(&context, request, &response).error_code();
  };
  EXPECT_EQ(remove("d1"), grpc::StatusCode::FAILED_PRECONDITION);
  Cancel("gone");
  EXPECT_EQ(remove("d1"), grpc::StatusCode::OK);
  EXPECT_EQ(remove("d1"), grpc::StatusCode::OK);
  EXPECT_EQ(remove("d2"), grpc::StatusCode::NOT_FOUND);
}

TEST_F(SweepLife, SaysWhyNobodyWorksOnIt) {
  Create(Spec("waits", Upload("data", 2)));
  {
    ScriptedWorker worker(channel_, "w1");
    worker.Ready();
    worker.AnswerCheck();
    Await("waits", v1::Sweep::RUNNING);
    EXPECT_EQ(Get("waits").error(), "");
  }
  ScriptedWorker other(channel_, "w2", "v2");
  other.Ready();
  v1::Sweep sweep;
  for (int i = 0; i < 100 && sweep.error().empty(); ++i) {
    absl::SleepFor(absl::Milliseconds(20));
    sweep = Get("waits");
  }
  EXPECT_THAT(sweep.error(), HasSubstr("code version v1"));
}

}  // namespace
}  // namespace kvscope::orchestrator
