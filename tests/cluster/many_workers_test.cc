// A crowd of workers on one orchestrator process: every unit is given out once and recorded once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "kvscope/v1/orchestrator.grpc.pb.h"
#include "services/rpc/channel.h"
#include "tests/bench/orchestrator/simulated_worker.h"
#include "tests/bench/orchestrator/sweep_grid.h"
#include "tests/cluster/process.h"

namespace kvscope::cluster_test {
namespace {

using bench::SimulatedWorker;
using bench::SweepGrid;
using bench::WorkerLog;
using testing::IsEmpty;

constexpr size_t kWorkers = 64;
// Of the parameters' size a unit is one passage: 640 units, ten for each worker.
constexpr SweepGrid kGrid = {
    .datasets = 4, .regimes = 2, .presses = 3, .ratios = 4, .passages = 80, .layers = 2};
constexpr int64_t kUnits = int64_t{kGrid.datasets} * kGrid.regimes * kGrid.passages;

class ManyWorkers : public testing::Test {
 protected:
  void SetUp() override {
    const std::string port_file = folder_ + "/port";
    orchestrator_ = std::make_unique<Process>(
        "kvscope-orchestrator",
        std::vector<std::string>{"--listen", "127.0.0.1:0", "--port-file", port_file, "--store",
                                 folder_ + "/store.db", "--drain-timeout", "2"},
        log_);
    address_ = absl::StrCat("127.0.0.1:", WaitForPort(port_file, *orchestrator_));
    const auto channel = rpc::Dial(address_, {});
    ASSERT_TRUE(channel.ok()) << channel.status();
    stub_ = v1::OrchestratorService::NewStub(*channel);
  }
  ~ManyWorkers() override {
    orchestrator_.reset();
    std::filesystem::remove_all(folder_);
  }

  v1::Dataset Upload(int dataset) {
    grpc::ClientContext context;
    v1::Dataset uploaded;
    const auto writer = stub_->UploadDataset(&context, &uploaded);
    for (int i = 0; i < kGrid.passages; ++i) {
      v1::UploadDatasetRequest request;
      if (i == 0) request.set_name(absl::StrCat("data-", dataset));
      *request.add_passages() = bench::MakePassage(kGrid, dataset, i);
      writer->Write(request);
    }
    writer->WritesDone();
    const grpc::Status status = writer->Finish();
    EXPECT_TRUE(status.ok()) << status.error_message();
    return uploaded;
  }

  std::string Submit() {
    std::vector<v1::Dataset> datasets;
    for (int i = 0; i < kGrid.datasets; ++i) datasets.push_back(Upload(i));
    grpc::ClientContext context;
    v1::CreateSweepRequest request;
    *request.mutable_spec() = bench::MakeSpec(kGrid, "crowd", /*seed=*/1, datasets);
    request.set_request_id("crowd");
    v1::Sweep sweep;
    const grpc::Status status = stub_->CreateSweep(&context, request, &sweep);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return sweep.id();
  }

  v1::Sweep WaitForEnd(const std::string& id) {
    v1::GetSweepRequest request;
    request.set_sweep(id);
    v1::Sweep sweep;
    const absl::Time deadline = absl::Now() + absl::Minutes(2);
    while (sweep.state() < v1::Sweep::SUCCEEDED && absl::Now() < deadline) {
      grpc::ClientContext context;
      const grpc::Status status = stub_->GetSweep(&context, request, &sweep);
      EXPECT_TRUE(status.ok()) << status.error_message();
      absl::SleepFor(absl::Milliseconds(20));
    }
    return sweep;
  }

  // Works the sweep off; what each worker saw.
  std::vector<WorkerLog> Work(const std::string& id, v1::Sweep& ended) {
    std::vector<std::unique_ptr<SimulatedWorker>> crew;
    std::vector<WorkerLog> logs(kWorkers);
    std::vector<std::thread> threads;
    for (size_t i = 0; i < kWorkers; ++i) {
      crew.push_back(std::make_unique<SimulatedWorker>(address_, absl::StrCat("worker-", i), kGrid,
                                                       absl::ZeroDuration()));
      threads.emplace_back([&crew, &logs, i] { logs[i] = crew[i]->Work(); });
    }
    ended = WaitForEnd(id);
    for (const auto& worker : crew) worker->Stop();
    for (std::thread& thread : threads) thread.join();
    return logs;
  }

  std::vector<v1::UnitStatus> Units(const std::string& id) {
    std::vector<v1::UnitStatus> units;
    v1::ListUnitsRequest request;
    request.set_sweep(id);
    request.set_page_size(500);
    do {
      grpc::ClientContext context;
      v1::ListUnitsResponse page;
      const grpc::Status status = stub_->ListUnits(&context, request, &page);
      EXPECT_TRUE(status.ok()) << status.error_message();
      units.insert(units.end(), page.units().begin(), page.units().end());
      request.set_page_token(page.next_page_token());
    } while (!request.page_token().empty());
    return units;
  }

  // Over all cells of the grid, each of which must have all its answers.
  int64_t CountCells(const std::string& id) {
    int64_t cells = 0;
    v1::ListCellsRequest request;
    request.set_sweep(id);
    request.set_page_size(1000);
    do {
      grpc::ClientContext context;
      v1::ListCellsResponse page;
      const grpc::Status status = stub_->ListCells(&context, request, &page);
      EXPECT_TRUE(status.ok()) << status.error_message();
      for (const v1::Cell& cell : page.cells()) {
        EXPECT_EQ(cell.state(), v1::Cell::SUCCEEDED);
        EXPECT_EQ(cell.answer_count(), kGrid.passages * kGrid.questions);
      }
      cells += page.cells_size();
      request.set_page_token(page.next_page_token());
    } while (!request.page_token().empty());
    return cells;
  }

  // Rows of the stream; no two of one place.
  int64_t CountAnswers(const std::string& id) {
    std::set<std::tuple<std::string, int, std::string, double>> places;
    int64_t rows = 0;
    grpc::ClientContext context;
    v1::StreamAnswersRequest request;
    request.set_sweep(id);
    const auto reader = stub_->StreamAnswers(&context, request);
    v1::AnswerRows message;
    while (reader->Read(&message)) {
      rows += message.rows_size();
      for (const v1::AnswerRow& row : message.rows()) {
        places.emplace(row.question().question_id(), row.regime(), row.press(),
                       row.compression_ratio());
      }
    }
    const grpc::Status status = reader->Finish();
    EXPECT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(static_cast<int64_t>(places.size()), rows);
    return rows;
  }

  // Lines of the orchestrator's log that tell of an error.
  std::vector<std::string> LoggedErrors() {
    std::vector<std::string> errors;
    std::ifstream log(log_);
    for (std::string line; std::getline(log, line);) {
      if (line.find("\"level\":\"error\"") != std::string::npos ||
          line.find("is locked") != std::string::npos) {
        errors.push_back(line);
      }
    }
    return errors;
  }

  const std::string folder_ = MakeFolder();
  const std::string log_ = folder_ + "/orchestrator.log";
  std::unique_ptr<Process> orchestrator_;
  std::string address_;
  std::unique_ptr<v1::OrchestratorService::Stub> stub_;
};

TEST_F(ManyWorkers, EveryUnitIsDoneOnce) {
  const std::string id = Submit();
  v1::Sweep ended;
  const std::vector<WorkerLog> logs = Work(id, ended);
  ASSERT_EQ(ended.state(), v1::Sweep::SUCCEEDED) << ended.ShortDebugString();
  EXPECT_EQ(ended.progress().units_total(), kUnits);
  EXPECT_EQ(ended.progress().units_done(), kUnits);
  EXPECT_EQ(ended.progress().units_failed(), 0);
  EXPECT_EQ(ended.progress().streams_done(), kGrid.answers());

  std::set<std::string> accepted;
  size_t acknowledged = 0;
  for (const WorkerLog& log : logs) {
    EXPECT_THAT(log.errors, IsEmpty());
    accepted.insert(log.accepted_keys.begin(), log.accepted_keys.end());
    acknowledged += log.accepted_keys.size();
  }
  EXPECT_EQ(acknowledged, static_cast<size_t>(kUnits));

  std::set<std::string> done;
  for (const v1::UnitStatus& unit : Units(id)) {
    EXPECT_EQ(unit.state(), v1::UnitStatus::DONE);
    EXPECT_EQ(unit.attempts(), 1);
    EXPECT_EQ(unit.error(), "");
    done.insert(unit.key());
  }
  EXPECT_EQ(done.size(), static_cast<size_t>(kUnits));
  EXPECT_EQ(accepted, done);

  EXPECT_EQ(CountCells(id), kGrid.cells());
  EXPECT_EQ(CountAnswers(id), kGrid.answers());

  stub_.reset();  // an idle connection would hold the server up
  EXPECT_EQ(orchestrator_->Terminate(), 0);
  EXPECT_THAT(LoggedErrors(), IsEmpty());
}

}  // namespace
}  // namespace kvscope::cluster_test
