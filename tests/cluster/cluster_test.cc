// What may happen to a cluster while it computes a sweep, and that it changes no answer: the rows
// equal those of an undisturbed run byte for byte. Every scenario runs embedded and as processes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/cluster/client.h"
#include "tests/cluster/deployment.h"

namespace kvscope::cluster_test {
namespace {

constexpr int kPassages = 40;
constexpr int kRows = kPassages * 3 * 2 * 3;

// Of one worker in one process that nothing happened to.
const std::vector<std::string>& UndisturbedAnswers() {
  static const auto* const answers = [] {
    const auto deployment = Deploy(Kind::kEmbedded, {});
    Client client(*deployment);
    const v1::Sweep sweep = client.Submit("r", PocketSweep(), PocketPassages(kPassages));
    EXPECT_EQ(client.WaitForEnd(sweep.id()).state(), v1::Sweep::SUCCEEDED);
    return new std::vector<std::string>(client.Answers(sweep.id()));
  }();
  return *answers;
}

class ClusterTest : public testing::TestWithParam<Kind> {
 protected:
  void Start(const DeploymentOptions& options = {}) {
    deployment_ = Deploy(GetParam(), options);
    client_ = std::make_unique<Client>(*deployment_);
  }

  std::string Submit(const std::string& request_id = "r") {
    return client_->Submit(request_id, PocketSweep(), PocketPassages(kPassages)).id();
  }

  void ExpectUndisturbedAnswers(const std::string& sweep) {
    const v1::Sweep ended = client_->WaitForEnd(sweep);
    ASSERT_EQ(ended.state(), v1::Sweep::SUCCEEDED) << ended.DebugString();
    EXPECT_EQ(ended.progress().streams_done(), kRows);
    const std::vector<std::string> answers = client_->Answers(sweep);
    ASSERT_EQ(answers.size(), static_cast<size_t>(kRows));
    EXPECT_TRUE(answers == UndisturbedAnswers());
  }

  // A sweep that is refused at once tells how many workers there are.
  void WaitForWorkers(int count) {
    v1::SweepSpec spec = PocketSweep();
    spec.set_name("refused");
    spec.add_presses("no_such_press");
    const std::string sweep = client_->Submit("workers", spec, PocketPassages(1)).id();
    client_->WaitFor(sweep, [count](const v1::Sweep& seen) {
      return seen.progress().workers() == count && seen.state() == v1::Sweep::FAILED;
    });
  }

  int MostAttempts(const std::string& sweep) {
    int most = 0;
    for (const v1::UnitStatus& unit : client_->Units(sweep)) most = std::max(most, unit.attempts());
    return most;
  }

  std::unique_ptr<Deployment> deployment_;
  std::unique_ptr<Client> client_;
};

TEST_P(ClusterTest, RunsASweep) {
  Start();
  const std::string sweep = Submit();
  ExpectUndisturbedAnswers(sweep);
  const v1::Sweep done = client_->Get(sweep);
  EXPECT_EQ(done.model().name(), "pocket-llama");
  EXPECT_EQ(done.progress().units_failed(), 0);
  v1::AnswerRow row;
  ASSERT_TRUE(row.ParseFromString(client_->Answers(sweep).front()));
  EXPECT_EQ(row.passage_id(), "people-0");
  EXPECT_EQ(row.press(), "knorm");
  EXPECT_EQ(row.compression_ratio(), 0);
  EXPECT_EQ(row.kept_ratio(), 1);
  EXPECT_EQ(row.answer(), "Janmouth");
}

TEST_P(ClusterTest, TwoModelsAnswerInOneSweepAsInTwo) {
  Start({.workers = 2});
  const std::vector<v1::Passage> passages = PocketPassages(8);
  v1::SweepSpec spec = PocketSweep();
  spec.add_more_models("qwen2-tiny");
  const std::string both = client_->Submit("both", spec, passages).id();
  ASSERT_EQ(client_->WaitForEnd(both).state(), v1::Sweep::SUCCEEDED);
  EXPECT_EQ(client_->Get(both).more_models(0).model_type(), "qwen2");

  // Elsewhere, so that no unit is reused.
  std::vector<std::string> one_by_one;
  const auto other = Deploy(GetParam(), {});
  Client client(*other);
  for (const char* model : {"pocket-llama", "qwen2-tiny"}) {
    v1::SweepSpec alone = PocketSweep();
    alone.set_model(model);
    const std::string sweep = client.Submit(model, alone, passages).id();
    ASSERT_EQ(client.WaitForEnd(sweep).state(), v1::Sweep::SUCCEEDED);
    EXPECT_EQ(client.Get(sweep).progress().units_reused(), 0);
    for (const std::string& row : client.Answers(sweep)) one_by_one.push_back(row);
  }
  const std::vector<std::string> answers = client_->Answers(both);
  ASSERT_EQ(answers.size(), 2u * 8 * 3 * 2 * 3);
  EXPECT_TRUE(answers == one_by_one);  // with the model that each row names
  const std::vector<v1::UnitStatus> units = client_->Units(both);
  EXPECT_EQ(units.front().model(), "pocket-llama");
  EXPECT_EQ(units.back().model(), "qwen2-tiny");
}

TEST_P(ClusterTest, AKilledWorkersUnitIsComputedByAnother) {
  Start();
  const std::string sweep = Submit();
  client_->WaitForLease(sweep);
  deployment_->KillWorker(0);
  const bool in_time = client_->Get(sweep).state() == v1::Sweep::RUNNING;
  deployment_->AddWorker();
  ExpectUndisturbedAnswers(sweep);
  if (in_time) {
    EXPECT_EQ(MostAttempts(sweep), 2);
  }
}

TEST_P(ClusterTest, TwoWorkersShareASweep) {
  Start({.workers = 2});
  WaitForWorkers(2);
  const std::string sweep = Submit();
  ExpectUndisturbedAnswers(sweep);
  std::set<std::string> workers;
  for (const v1::UnitStatus& unit : client_->Units(sweep)) workers.insert(unit.worker_id());
  EXPECT_EQ(workers.size(), 2u);
}

TEST_P(ClusterTest, AnOrchestratorThatIsKilledGoesOnWhereItStopped) {
  Start();
  const std::string sweep = Submit();
  client_->WaitForLease(sweep);
  deployment_->RestartOrchestrator(/*gracefully=*/false);
  ExpectUndisturbedAnswers(sweep);
}

TEST_P(ClusterTest, AnOrchestratorThatIsTerminatedGoesOnWhereItStopped) {
  Start();
  const std::string sweep = Submit();
  client_->WaitForLease(sweep);
  deployment_->RestartOrchestrator(/*gracefully=*/true);
  ExpectUndisturbedAnswers(sweep);
}

TEST_P(ClusterTest, ACancelledSweepStopsAndCanBeResumed) {
  Start();
  const std::string sweep = Submit();
  client_->WaitForLease(sweep);
  ASSERT_EQ(client_->Cancel(sweep).state(), v1::Sweep::CANCELLED);
  const v1::Sweep cancelled = client_->Get(sweep);
  EXPECT_EQ(cancelled.state(), v1::Sweep::CANCELLED);
  // What was recorded is a part of the undisturbed answers.
  const std::set<std::string> all(UndisturbedAnswers().begin(), UndisturbedAnswers().end());
  const std::vector<std::string> recorded = client_->Answers(sweep);
  EXPECT_LT(recorded.size(), static_cast<size_t>(kRows));
  for (const std::string& row : recorded) EXPECT_TRUE(all.contains(row));
  client_->Resume(sweep);
  ExpectUndisturbedAnswers(sweep);
}

TEST_P(ClusterTest, TheSameRequestTwiceIsOneSweep) {
  Start();
  const std::string first = Submit("same");
  EXPECT_EQ(Submit("same"), first);
  ExpectUndisturbedAnswers(first);
  EXPECT_EQ(Submit("same"), first);
  EXPECT_EQ(client_->SweepCount(), 1);
}

TEST_P(ClusterTest, AnEqualSweepReusesEveryUnit) {
  Start();
  ExpectUndisturbedAnswers(Submit("one"));
  const std::string second = Submit("two");
  ExpectUndisturbedAnswers(second);
  const v1::Progress progress = client_->Get(second).progress();
  EXPECT_EQ(progress.units_reused(), progress.units_total());
}

TEST_P(ClusterTest, ASweepThatCannotRunIsRefusedWithTheReason) {
  Start();
  v1::SweepSpec spec = PocketSweep();
  spec.add_presses("no_such_press");
  const v1::Sweep sweep = client_->Submit("r", spec, PocketPassages(2));
  const v1::Sweep ended = client_->WaitForEnd(sweep.id());
  EXPECT_EQ(ended.state(), v1::Sweep::FAILED);
  EXPECT_THAT(ended.error(), testing::HasSubstr("no_such_press"));
}

TEST_P(ClusterTest, AModelThatTheClusterDoesNotHaveIsRefusedAtOnce) {
  Start({.workers = 0});
  v1::CreateSweepRequest request;
  request.set_request_id("r");
  *request.mutable_spec() = PocketSweep();
  request.mutable_spec()->set_model("no-such-model");
  *request.mutable_spec()->add_datasets() = client_->Upload("people", PocketPassages(2));
  grpc::ClientContext context;
  v1::Sweep sweep;
  const auto stub = v1::OrchestratorService::NewStub(deployment_->channel());
  const grpc::Status status = stub->CreateSweep(&context, request, &sweep);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(status.error_message(),
            "spec.model: the cluster has no model \"no-such-model\"; it has pocket-llama, "
            "qwen2-tiny");
  EXPECT_EQ(client_->SweepCount(), 0);
}

class StallTest : public ClusterTest {};

// Nobody hangs up: the lease runs out, and what the stalled worker says when it wakes is too late.
TEST_P(StallTest, AWorkerThatStallsLosesItsUnitAndItsLateWordChangesNothing) {
  Start({.workers = 1, .lease = absl::Seconds(1), .heartbeat = absl::Milliseconds(100)});
  const std::string sweep = Submit();
  client_->WaitForLease(sweep);
  deployment_->StallWorker(0);
  const bool in_time = client_->Get(sweep).state() == v1::Sweep::RUNNING;
  deployment_->AddWorker();
  ExpectUndisturbedAnswers(sweep);
  if (in_time) {
    EXPECT_EQ(MostAttempts(sweep), 2);
  }
  deployment_->WakeWorker(0);
  WaitForWorkers(2);
  ExpectUndisturbedAnswers(sweep);
}

INSTANTIATE_TEST_SUITE_P(Over, StallTest, testing::Values(Kind::kProcesses),
                         [](const auto&) { return "Processes"; });
INSTANTIATE_TEST_SUITE_P(Both, ClusterTest, testing::Values(Kind::kEmbedded, Kind::kProcesses),
                         [](const auto& info) {
                           return info.param == Kind::kEmbedded ? "Embedded" : "Processes";
                         });

}  // namespace
}  // namespace kvscope::cluster_test
