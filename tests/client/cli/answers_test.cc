// Answers of a real orchestrator, as text.
#include "services/client/cli/answers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>
#include <streambuf>

#include "tests/orchestrator/service/service_fixture.h"

namespace kvscope::cli {
namespace {

using nlohmann::json;
using orchestrator::ScriptedWorker;

constexpr int kPassages = 6, kQuestions = 200;
constexpr int kRows = kPassages * kQuestions * 2 * 2;

// A pipe whose reader leaves: takes some bytes, then no more.
class ShortSink final : public std::streambuf {
 public:
  explicit ShortSink(size_t room) : room_(room) {}

 protected:
  std::streamsize xsputn(const char*, std::streamsize count) override {
    const std::streamsize taken = std::min(count, static_cast<std::streamsize>(room_));
    room_ -= static_cast<size_t>(taken);
    return taken;
  }
  int_type overflow(int_type) override { return traits_type::eof(); }

 private:
  size_t room_;
};

class Answers : public orchestrator::ServiceTest {
 protected:
  // A finished sweep of several messages of answers.
  void Fill() {
    Create(Spec("sweep", Upload("data", kPassages, kQuestions)));
    ScriptedWorker worker(channel_, "w1");
    worker.Ready();
    worker.AnswerCheck();
    worker.WorkOff(kPassages);
    Await("sweep", v1::Sweep::SUCCEEDED);
  }

  std::string Text(const std::string& format) {
    std::ostringstream out;
    const absl::Status status = WriteAnswers(*stub_, "sweep", format, out);
    EXPECT_TRUE(status.ok()) << status;
    return out.str();
  }
};

TEST_F(Answers, EveryRowIsALineInTheOrderOfTheStream) {
  Fill();
  const std::vector<v1::AnswerRow> rows = ServiceTest::Answers("sweep");
  ASSERT_EQ(rows.size(), static_cast<size_t>(kRows));
  std::istringstream lines(Text("jsonl"));
  std::string line;
  for (const v1::AnswerRow& row : rows) {
    ASSERT_TRUE(std::getline(lines, line));
    const json parsed = json::parse(line);
    ASSERT_EQ(parsed["passage_id"], row.passage_id());
    ASSERT_EQ(parsed["question_id"], row.question().question_id());
    ASSERT_EQ(parsed["press"], row.press());
    ASSERT_EQ(parsed["compression_ratio"], row.compression_ratio());
    ASSERT_EQ(parsed["answer"], row.answer());
    ASSERT_EQ(parsed["gold"], row.question().answer());
    ASSERT_EQ(parsed["f1"], row.metrics().f1());
    ASSERT_EQ(parsed["kept_ratio"], row.kept_ratio());
    ASSERT_TRUE(parsed["ger"].is_null());
  }
  EXPECT_FALSE(std::getline(lines, line));
}

TEST_F(Answers, CsvHasAHeaderAndTheSameRows) {
  Fill();
  std::istringstream lines(Text("csv"));
  std::string line;
  ASSERT_TRUE(std::getline(lines, line));
  EXPECT_THAT(line, testing::StartsWith("sweep_id,model,dataset,regime,press,compression_ratio,"));
  int rows = 0;
  while (std::getline(lines, line)) ++rows;
  EXPECT_EQ(rows, kRows);
}

TEST_F(Answers, ARefusedWriteEndsTheStreamAndTheServerGoesOn) {
  Fill();
  ShortSink sink(100'000);  // less than one message becomes
  std::ostream out(&sink);
  EXPECT_FALSE(WriteAnswers(*stub_, "sweep", "csv", out).ok());
  const std::string text = Text("csv");
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1 + kRows);
}

TEST_F(Answers, AnUnknownSweepIsAnError) {
  std::ostringstream out;
  const absl::Status status = WriteAnswers(*stub_, "no-such-sweep", "csv", out);
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound) << status;
  EXPECT_EQ(out.str(), "");
}

}  // namespace
}  // namespace kvscope::cli
