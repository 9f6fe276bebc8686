// The whole data of the paper in one file: generated, written, read back, checked.
#include <gtest/gtest.h>

#include <string>

#include "services/orchestrator/datasets/check.h"
#include "services/orchestrator/datasets/generator.h"
#include "services/orchestrator/datasets/jsonl.h"
#include "services/orchestrator/datasets/suite_rules.h"
#include "tests/orchestrator/datasets/scratch_file.h"

namespace kvscope::orchestrator {
namespace {

struct Table1Row {
  const char* suite;
  int64_t words_low, words_high;  // a passage
  int64_t passages;
  int64_t questions;
};

constexpr Table1Row kTable1[] = {
    {"base", 150, 200, 200, 1199},           {"knowledge", 32, 32, 4000, 52000},
    {"multi_presence", 400, 600, 100, 1000}, {"multi_entity", 400, 600, 100, 1000},
    {"long_context", 900, 1300, 100, 1000},  {"coreference", 44, 44, 8000, 72000},
    {"hops", 1080, 1120, 100, 1600},
};

TEST(Table1, IsWhatWeGenerate) {
  const ScratchFile file("paper.jsonl");
  auto writer = PassageWriter::Create(file.path());
  ASSERT_TRUE(writer.ok()) << writer.status();
  for (const Table1Row& row : kTable1) {
    const absl::Status status =
        Generate({row.suite, Scale::kPaper, row.passages, /*seed=*/1},
                 [&](const Passage& passage) { return writer->Write(passage); });
    ASSERT_TRUE(status.ok()) << status;
  }
  ASSERT_TRUE(writer->Close().ok());

  const auto report = CheckDataset(file.path());
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->ok()) << CheckText(*report);
  ASSERT_EQ(report->datasets.size(), std::size(kTable1));
  int64_t passages = 0;
  int64_t questions = 0;
  for (size_t i = 0; i < std::size(kTable1); ++i) {
    const Table1Row& row = kTable1[i];
    const DatasetCheck& found = report->datasets[i];
    SCOPED_TRACE(row.suite);
    EXPECT_EQ(found.dataset, row.suite);
    EXPECT_EQ(found.passages, row.passages);
    EXPECT_EQ(found.held, row.passages);
    EXPECT_EQ(found.questions, row.questions);
    EXPECT_GE(found.words.min(), row.words_low);
    EXPECT_LE(found.words.max(), row.words_high);
    const double middle = static_cast<double>(row.words_low + row.words_high) / 2;
    EXPECT_NEAR(found.words.mean(), middle, middle / 20);
    EXPECT_EQ(found.without_evidence, 0);
    EXPECT_EQ(found.untagged, 0);
    passages += found.passages;
    questions += found.questions;
  }
  EXPECT_EQ(passages, 12'600);
  EXPECT_EQ(questions, 129'799);
}

}  // namespace
}  // namespace kvscope::orchestrator
