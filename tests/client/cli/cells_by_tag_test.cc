// Cells of a real orchestrator, parted by tags: as text, and as a report's rows.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "services/client/cli/answers.h"
#include "services/client/cli/cells.h"
#include "services/client/cli/report_tags.h"
#include "tests/orchestrator/service/service_fixture.h"

namespace kvscope::cli {
namespace {

using nlohmann::json;
using orchestrator::ReportTagRow;
using orchestrator::ScriptedWorker;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// Two presses at ratios 0 (every F1 is 1) and 0.5 (0.5); 6 questions forward and 3 reverse; of each
// three one has hop 2, the others 0.
class CellsByTag : public orchestrator::ServiceTest {
 protected:
  void SetUp() override {
    grpc::ClientContext context;
    v1::Dataset dataset;
    auto writer = stub_->UploadDataset(&context, &dataset);
    for (int i = 0; i < 3; ++i) {
      v1::UploadDatasetRequest request;
      if (i == 0) request.set_name("data");
      v1::Passage& passage = *request.add_passages() = Passage(i, 3, 20);
      for (v1::Question& question : *passage.mutable_questions()) {
        question.set_direction(i == 2 ? "reverse" : "forward");
      }
      passage.mutable_questions(1)->set_hop(2);
      writer->Write(request);
    }
    writer->WritesDone();
    ASSERT_TRUE(writer->Finish().ok());
    Create(Spec("sweep", dataset));
    ScriptedWorker worker(channel_, "w1");
    worker.Ready();
    worker.AnswerCheck();
    worker.WorkOff(3);
    Await("sweep", v1::Sweep::SUCCEEDED);
  }

  std::vector<v1::Cell> Fetch(const std::vector<std::string>& tags) {
    return FetchCells(*stub_, "sweep", tags).value();
  }
};

TEST_F(CellsByTag, JsonLinesHaveAFieldForEachTag) {
  const std::vector<std::string> tags = {"hop", "direction"};
  std::ostringstream out;
  ASSERT_TRUE(WriteCells(Fetch(tags), "jsonl", out, tags).ok());
  std::istringstream lines(out.str());
  std::string line;
  std::vector<json> rows;
  while (std::getline(lines, line)) rows.push_back(json::parse(line));
  ASSERT_EQ(rows.size(), 4u * 4);
  EXPECT_EQ(rows[0]["hop"], 0);
  EXPECT_EQ(rows[0]["direction"], "forward");
  EXPECT_EQ(rows[0]["answer_count"], 4);
  EXPECT_EQ(rows[3]["hop"], 2);
  EXPECT_EQ(rows[3]["direction"], "reverse");
  EXPECT_EQ(rows[3]["answer_count"], 1);
  EXPECT_EQ(rows[7]["f1"], 0.5);
}

TEST_F(CellsByTag, CsvAndTableHaveAColumnForEachTag) {
  const std::vector<std::string> tags = {"direction", "question_type"};
  std::ostringstream csv, table;
  const std::vector<v1::Cell> cells = Fetch(tags);
  ASSERT_TRUE(WriteCells(cells, "csv", csv, tags).ok());
  EXPECT_THAT(csv.str(), StartsWith("model,dataset,regime,press,compression_ratio,direction,"
                                    "question_type,answer_count,f1,"));
  EXPECT_THAT(csv.str(), HasSubstr("tiny,data,agnostic,snapkv,0.5,reverse,,3,0.5,"));
  PrintCells(cells, /*with_dataset=*/true, table, tags);
  EXPECT_THAT(table.str(), HasSubstr("dataset  regime    press   direction  question_type  ratio"));
  EXPECT_THAT(table.str(), HasSubstr("data     agnostic  snapkv  forward    -                  0"));
}

TEST_F(CellsByTag, AReportHasEachTagByItself) {
  v1::Sweep sweep;
  grpc::ClientContext context;
  v1::GetSweepRequest request;
  request.set_sweep("sweep");
  ASSERT_TRUE(stub_->GetSweep(&context, request, &sweep).ok());
  orchestrator::ReportInput input;
  ASSERT_TRUE(ReadTagRows(*stub_, sweep, input).ok());
  std::map<std::string, int64_t> answers;
  for (const ReportTagRow& row : input.tag_rows) {
    EXPECT_EQ(row.dataset, "data");
    EXPECT_EQ(row.regime, "agnostic");
    EXPECT_EQ(row.f1, row.ratio == 0 ? 1 : 0.5);
    answers[row.tag + " " + row.value] += row.answers;
  }
  EXPECT_EQ(answers, (std::map<std::string, int64_t>{{"direction forward", 24},
                                                     {"direction reverse", 12},
                                                     {"answer_type ", 36},
                                                     {"question_type ", 36},
                                                     {"hop 0", 24},
                                                     {"hop 2", 12}}));
}

}  // namespace
}  // namespace kvscope::cli
