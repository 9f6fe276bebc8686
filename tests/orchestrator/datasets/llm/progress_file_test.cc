#include "services/orchestrator/datasets/llm/progress_file.h"

#include <gmock/gmock.h>

#include "tests/orchestrator/datasets/scratch_file.h"

namespace kvscope::orchestrator::llm {
namespace {

using testing::AllOf;
using testing::HasSubstr;

RunIdentity Identity() { return {&AllWritingRules()[0], "m", 7, {150, 200}}; }

PassageOutcome Outcome(int64_t index) {
  Question question;
  question.question_id = "q" + std::to_string(index);
  question.question = "Who?";
  question.answer = "Anna";
  question.evidence = {{0, 4}};
  Passage passage;
  passage.dataset = "base";
  passage.passage_id = LlmPassageId(AllWritingRules()[0], 7, index);
  passage.context = "Anna keeps b\u00e9es.";
  passage.questions = {question};
  PassageOutcome outcome;
  outcome.passage = passage;
  outcome.rejections = {{"passage", 1, "too_short", "the passage has 3 words", "x\ny"}};
  outcome.traffic = {
      .requests = 3, .retries = {{"429", 1}}, .prompt_tokens = 9, .completion_tokens = 8};
  return outcome;
}

std::string OpenError(const std::string& path, const RunIdentity& identity = Identity()) {
  return std::string(ProgressFile::Open(path, identity).status().message());
}

class ProgressFileTest : public testing::Test {
 protected:
  ProgressFileTest() : scratch_("other"), path_(scratch_.folder() + "/f.progress") {}

  void WriteTwo() {
    absl::StatusOr<ProgressFile> file = ProgressFile::Open(path_, Identity());
    ASSERT_TRUE(file.ok()) << file.status();
    ASSERT_FALSE(std::filesystem::exists(path_));  // nothing before the first outcome
    ASSERT_TRUE(file->Append(2, Outcome(2)).ok());
    ASSERT_TRUE(file->Append(0, Outcome(0)).ok());
  }
  void Overwrite(const std::string& bytes) {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << bytes;
  }

  ScratchFile scratch_;
  std::string path_;
};

TEST_F(ProgressFileTest, KeepsWhatWasAppended) {
  WriteTwo();
  absl::StatusOr<ProgressFile> file = ProgressFile::Open(path_, Identity());
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_EQ(file->outcomes().size(), 2u);
  for (const auto& [index, outcome] : file->outcomes()) {
    EXPECT_EQ(outcome.passage, Outcome(index).passage);
    EXPECT_EQ(outcome.rejections, Outcome(index).rejections);
    EXPECT_EQ(outcome.traffic.requests, 3);
    EXPECT_EQ(outcome.traffic.retries, Outcome(index).traffic.retries);
  }
  PassageOutcome given_up = Outcome(1);
  given_up.passage.reset();
  ASSERT_TRUE(file->Append(1, given_up).ok());
  ASSERT_TRUE(file->Append(1, Outcome(1)).ok());  // the second run made it
  EXPECT_TRUE(file->outcomes().at(1).passage.has_value());
  EXPECT_EQ(file->outcomes().at(1).rejections.size(), 2u);
  EXPECT_EQ(file->outcomes().at(1).traffic.requests, 6);
}

TEST_F(ProgressFileTest, DropsATornLine) {
  WriteTwo();
  const std::string whole = ScratchFile::Read(path_);
  for (size_t length = whole.size() - 1; length > 5; length -= 5) {
    Overwrite(whole.substr(0, length));
    absl::StatusOr<ProgressFile> file = ProgressFile::Open(path_, Identity());
    ASSERT_TRUE(file.ok()) << length << ": " << file.status();
    EXPECT_LT(file->outcomes().size(), 2u);
    const std::string left = ScratchFile::Read(path_);
    EXPECT_TRUE(left.ends_with('\n') && whole.starts_with(left)) << length;
  }
}

TEST_F(ProgressFileTest, IsForOneRunAtATime) {
  WriteTwo();
  const absl::StatusOr<ProgressFile> held = ProgressFile::Open(path_, Identity());
  ASSERT_TRUE(held.ok());
  EXPECT_THAT(OpenError(path_), AllOf(HasSubstr(path_), HasSubstr("another run")));
}

TEST_F(ProgressFileTest, RefusesWhatIsNotItsOwn) {
  WriteTwo();
  RunIdentity other = Identity();
  other.seed = 8;
  EXPECT_THAT(OpenError(path_, other), HasSubstr(path_ + ":1: belongs to another run"));
  const std::string whole = ScratchFile::Read(path_);
  const size_t second = whole.find('\n') + 1;
  for (const std::string line :
       {"3", "{}", "\xFF", R"({"index": -1})", R"({"index": "a"})", "[]", "{"}) {
    Overwrite(whole.substr(0, second) + line + "\n");
    EXPECT_THAT(OpenError(path_), HasSubstr(path_ + ":2: ")) << line;
  }
  std::string swapped = whole;
  swapped.replace(swapped.find("base-llm-7-0002"), 15, "base-llm-7-0003");
  Overwrite(swapped);
  EXPECT_THAT(OpenError(path_), HasSubstr("passage_id: is \"base-llm-7-0003\""));
  EXPECT_EQ(ScratchFile::Read(path_), swapped);  // left as it was
}

}  // namespace
}  // namespace kvscope::orchestrator::llm
