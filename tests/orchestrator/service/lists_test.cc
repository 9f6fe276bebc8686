// Pages and streams of rows.
#include <set>

#include "tests/orchestrator/service/service_fixture.h"

namespace kvscope::orchestrator {
namespace {

using ::testing::ElementsAre;

class Lists : public ServiceTest {
 protected:
  template <typename Request, typename Response>
  static Response Call(grpc::Status (v1::OrchestratorService::Stub::*method)(grpc::ClientContext*,
                                                                             const Request&,
                                                                             Response*),
                       v1::OrchestratorService::Stub& stub, const Request& request) {
    grpc::ClientContext context;
    Response response;
    const grpc::Status status = (stub.*method)(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }
};

TEST_F(Lists, SweepsComeNewestFirstInPages) {
  const v1::Dataset dataset = Upload("data", 1);
  for (int i = 0; i < 5; ++i) Create(Spec(absl::StrCat("s", i), dataset));
  std::vector<std::string> names;
  v1::ListSweepsRequest request;
  request.set_page_size(2);
  do {
    const auto page = Call(&v1::OrchestratorService::Stub::ListSweeps, *stub_, request);
    EXPECT_LE(page.sweeps_size(), 2);
    for (const v1::Sweep& sweep : page.sweeps()) names.push_back(sweep.spec().name());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_THAT(names, ElementsAre("s4", "s3", "s2", "s1", "s0"));
}

TEST_F(Lists, CellsComeInTheSweepsOrderWithMeansAndStates) {
  v1::SweepSpec spec = Spec("grid", Upload("data", 2));
  spec.add_regimes(v1::AWARE);
  Create(spec);
  ScriptedWorker worker(channel_, "w1");
  worker.Ready();
  worker.AnswerCheck();
  worker.WorkOff(3);  // both units of AGNOSTIC, one of AWARE
  std::vector<v1::Cell> cells;
  v1::ListCellsRequest request;
  request.set_sweep("grid");
  request.set_page_size(3);
  do {
    const auto page = Call(&v1::OrchestratorService::Stub::ListCells, *stub_, request);
    cells.insert(cells.end(), page.cells().begin(), page.cells().end());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  ASSERT_EQ(cells.size(), 8u);
  EXPECT_EQ(cells[1].regime(), v1::AGNOSTIC);
  EXPECT_EQ(cells[1].press(), "snapkv");
  EXPECT_EQ(cells[1].compression_ratio(), 0.5);
  EXPECT_EQ(cells[1].state(), v1::Cell::SUCCEEDED);
  EXPECT_EQ(cells[1].answer_count(), 4);
  EXPECT_EQ(cells[1].f1(), 0.5);
  EXPECT_EQ(cells[1].kept_ratio(), 0.5);
  EXPECT_FALSE(cells[1].has_ger());
  EXPECT_EQ(cells[6].regime(), v1::AWARE);
  EXPECT_EQ(cells[6].press(), "random");
  EXPECT_EQ(cells[6].state(), v1::Cell::RUNNING);
  EXPECT_EQ(cells[6].answer_count(), 2);
}

TEST_F(Lists, CellsComeModelByModel) {
  v1::SweepSpec spec = Spec("models", Upload("data", 2));
  spec.add_regimes(v1::AWARE);
  spec.add_more_models("other-model");
  Create(spec);
  ScriptedWorker worker(channel_, "w1");
  worker.Ready();
  worker.AnswerCheck();
  worker.WorkOff(5);  // all units of the first model, one of the other's AGNOSTIC
  for (const int page_size : {3, 8, 1000}) {
    std::vector<v1::Cell> cells;
    v1::ListCellsRequest request;
    request.set_sweep("models");
    request.set_page_size(page_size);
    do {
      const auto page = Call(&v1::OrchestratorService::Stub::ListCells, *stub_, request);
      cells.insert(cells.end(), page.cells().begin(), page.cells().end());
      request.set_page_token(page.next_page_token());
    } while (!request.page_token().empty());
    ASSERT_EQ(cells.size(), 16u);
    EXPECT_EQ(cells[7].model(), "tiny");
    EXPECT_EQ(cells[7].regime(), v1::AWARE);
    EXPECT_EQ(cells[7].state(), v1::Cell::SUCCEEDED);
    EXPECT_EQ(cells[8].model(), "other-model");
    EXPECT_EQ(cells[8].regime(), v1::AGNOSTIC);
    EXPECT_EQ(cells[8].state(), v1::Cell::RUNNING);
    EXPECT_EQ(cells[8].answer_count(), 2);
    EXPECT_EQ(cells[12].state(), v1::Cell::PENDING);
  }
}

TEST_F(Lists, CellsArePartedByTags) {
  grpc::ClientContext context;
  v1::Dataset dataset;
  auto writer = stub_->UploadDataset(&context, &dataset);
  for (int i = 0; i < 2; ++i) {
    v1::UploadDatasetRequest request;
    if (i == 0) request.set_name("data");
    v1::Passage& passage = *request.add_passages() = Passage(i, 3, 20);
    passage.mutable_questions(0)->set_direction("forward");
    passage.mutable_questions(1)->set_direction("reverse");
    passage.mutable_questions(1)->set_hop(2);
    passage.mutable_questions(2)->set_direction(i == 0 ? "forward" : "");
    writer->Write(request);
  }
  writer->WritesDone();
  ASSERT_TRUE(writer->Finish().ok());
  Create(Spec("tags", dataset));
  ScriptedWorker worker(channel_, "w1");
  worker.Ready();
  worker.AnswerCheck();
  worker.WorkOff(2);
  Await("tags", v1::Sweep::SUCCEEDED);
  v1::ListCellsRequest request;
  request.set_sweep("tags");
  request.add_group_by("direction");
  request.add_group_by("hop");
  for (const int size : {1, 3, 4, 1000}) {
    std::vector<std::string> found;
    request.set_page_size(size);
    do {
      const auto page = Call(&v1::OrchestratorService::Stub::ListCells, *stub_, request);
      for (const v1::Cell& cell : page.cells()) {
        found.push_back(absl::StrCat(cell.press(), " ", cell.compression_ratio(), " ", cell.tags(0),
                                     " ", cell.tags(1), " ", cell.answer_count()));
        EXPECT_EQ(cell.state(), v1::Cell::SUCCEEDED);
        EXPECT_EQ(cell.dataset(), "data");
        EXPECT_EQ(cell.f1(), cell.compression_ratio() == 0 ? 1 : 0.5);
      }
      request.set_page_token(page.next_page_token());
    } while (!request.page_token().empty());
    EXPECT_THAT(found,
                ElementsAre("snapkv 0 forward 0 3", "snapkv 0 reverse 2 2", "snapkv 0  0 1",
                            "snapkv 0.5 forward 0 3", "snapkv 0.5 reverse 2 2", "snapkv 0.5  0 1",
                            "random 0 forward 0 3", "random 0 reverse 2 2", "random 0  0 1",
                            "random 0.5 forward 0 3", "random 0.5 reverse 2 2", "random 0.5  0 1"))
        << "pages of " << size;
  }
  for (const auto& [bad, says] :
       {std::pair("hops", "group_by[2]: is \"hops\", allowed are direction"),
        std::pair("hop", "group_by[2]: \"hop\" is there twice")}) {
    v1::ListCellsRequest refused = request;
    refused.add_group_by(bad);
    grpc::ClientContext refused_context;
    v1::ListCellsResponse response;
    const grpc::Status status = stub_->ListCells(&refused_context, refused, &response);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_THAT(status.error_message(), ::testing::HasSubstr(says));
  }
}

TEST_F(Lists, UnitsComeInPages) {
  Create(Spec("units", Upload("data", 5)));
  ScriptedWorker worker(channel_, "w1");
  worker.Ready();
  worker.AnswerCheck();
  Await("units", v1::Sweep::RUNNING);
  worker.WorkOff(1);
  std::vector<int64_t> first_passages;
  v1::ListUnitsRequest request;
  request.set_sweep("units");
  request.set_page_size(2);
  do {
    const auto page = Call(&v1::OrchestratorService::Stub::ListUnits, *stub_, request);
    for (const v1::UnitStatus& unit : page.units()) {
      const bool done = unit.first_passage() == 0;
      EXPECT_EQ(unit.state(), done ? v1::UnitStatus::DONE : v1::UnitStatus::PENDING);
      EXPECT_EQ(unit.dataset(), "data");
      first_passages.push_back(unit.first_passage());
    }
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_THAT(first_passages, ElementsAre(0, 1, 2, 3, 4));
}

TEST_F(Lists, BadPagesAreRefused) {
  grpc::ClientContext context, second;
  v1::ListSweepsRequest request;
  v1::ListSweepsResponse response;
  request.set_page_size(1001);
  EXPECT_EQ(stub_->ListSweeps(&context, request, &response).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
  request.set_page_size(1);
  request.set_page_token("next");
  EXPECT_EQ(stub_->ListSweeps(&second, request, &response).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(Lists, AnswersStreamPastOneMessageToASlowClient) {
  Create(Spec("long", Upload("data", 8, /*questions=*/200)));
  ScriptedWorker worker(channel_, "w1");
  worker.Ready();
  worker.AnswerCheck();
  worker.WorkOff(8);
  Await("long", v1::Sweep::SUCCEEDED);
  grpc::ClientContext context;
  v1::StreamAnswersRequest request;
  request.set_sweep("long");
  auto reader = stub_->StreamAnswers(&context, request);
  std::set<std::string> seen;
  int messages = 0, rows = 0;
  v1::AnswerRows message;
  for (; reader->Read(&message); ++messages) {
    absl::SleepFor(absl::Milliseconds(20));
    EXPECT_LT(message.ByteSizeLong(), 300u << 10);
    rows += message.rows_size();
    for (const v1::AnswerRow& row : message.rows()) {
      seen.insert(absl::StrCat(row.question().question_id(), row.press(), row.compression_ratio()));
    }
  }
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_GT(messages, 1);
  EXPECT_EQ(rows, 6400);
  EXPECT_EQ(seen.size(), 6400u);
}

TEST_F(Lists, AClientMayLeaveAStream) {
  Create(Spec("long", Upload("data", 8, /*questions=*/50)));
  ScriptedWorker worker(channel_, "w1");
  worker.Ready();
  worker.AnswerCheck();
  worker.WorkOff(8);
  grpc::ClientContext context;
  v1::StreamAnswersRequest request;
  request.set_sweep("long");
  auto reader = stub_->StreamAnswers(&context, request);
  v1::AnswerRows message;
  ASSERT_TRUE(reader->Read(&message));
  context.TryCancel();
  while (reader->Read(&message)) {
  }
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_EQ(Get("long").state(), v1::Sweep::SUCCEEDED);
}

TEST_F(Lists, HeatmapsComeWithTheirPassage) {
  v1::SweepSpec spec = Spec("maps", Upload("data", 2));
  spec.mutable_capture()->set_heatmap_passages(2);
  Create(spec);
  ScriptedWorker worker(channel_, "w1");
  worker.Ready();
  worker.AnswerCheck();
  for (int i = 0; i < 2; ++i) {
    worker.Ready();
    const v1::Lease lease = worker.ReadLease();
    v1::ResultChunk chunk = worker.Compute(lease.unit());
    v1::Heatmap* heatmap = chunk.add_heatmaps();
    heatmap->set_press_index(1);
    heatmap->set_ratio_index(1);
    heatmap->set_keep_bits(std::string("\x01\xfe", 2));
    heatmap->add_tokens("ü");
    worker.SendPart(lease, chunk, true);
    EXPECT_TRUE(worker.ReadAck());
  }
  grpc::ClientContext context;
  v1::StreamHeatmapsRequest request;
  request.set_sweep("maps");
  auto reader = stub_->StreamHeatmaps(&context, request);
  std::vector<v1::HeatmapRow> rows;
  v1::HeatmapRow row;
  while (reader->Read(&row)) rows.push_back(row);
  EXPECT_TRUE(reader->Finish().ok());
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[1].passage_id(), "p1");
  EXPECT_EQ(rows[1].press(), "random");
  EXPECT_EQ(rows[1].compression_ratio(), 0.5);
  EXPECT_EQ(rows[1].heatmap().keep_bits(), "\x01\xfe");
  EXPECT_EQ(rows[1].heatmap().tokens(0), "ü");
}

}  // namespace
}  // namespace kvscope::orchestrator
