#include "services/orchestrator/datasets/check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "services/orchestrator/datasets/grounding.h"
#include "tests/orchestrator/datasets/scratch_file.h"

namespace kvscope::orchestrator {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

TEST(Grounding, CaseAndSpacesDoNotCount) {
  EXPECT_EQ(NormalizeText(" A\t\nB\xC2\xA0\xC3\x89 "), "a b \xC3\xA9");  // no-break space, É
  EXPECT_TRUE(Occurs("new  YORK", NormalizeText("In New\nYork City")));
  EXPECT_FALSE(Occurs("York New", NormalizeText("In New York City")));
  EXPECT_TRUE(Abstains(" i DONT  know"));
  EXPECT_FALSE(Abstains("I dont know him"));
  EXPECT_EQ(CountWords(" one  two,\nthree\xE2\x80\x83"
                       "four "),
            4);  // em space
  EXPECT_EQ(CountWords(""), 0);
}

TEST(Spread, HasMeanAndDeviation) {
  Spread spread;
  EXPECT_EQ(spread.mean(), 0);
  for (const int value : {2, 4, 4, 4, 5, 5, 7, 9}) spread.Add(value);
  EXPECT_DOUBLE_EQ(spread.mean(), 5);
  EXPECT_DOUBLE_EQ(spread.deviation(), 2);
  EXPECT_EQ(spread.min(), 2);
  EXPECT_EQ(spread.max(), 9);
}

constexpr char kMixed[] =
    R"({"dataset": "a", "context": "Ann Lee was born in May. She lives in Oslo.",
"questions": [
{"question": "Where?", "answer": "oslo", "direction": "forward", "answer_type": "Location",
 "question_type": "Standard", "evidence": [[38,42]]},
{"question": "Who?", "answer": "Bob", "aliases": ["ann  lee"], "direction": "reverse",
 "answer_type": "Person", "question_type": "Standard", "evidence": [[0,7]]},
{"question": "He?", "answer": "I dont know", "question_type": "Standard"},
{"question": "Initials?", "answer": "AL", "question_type": "Manipulated", "hop": 1},
{"question": "Month?", "answer": "June", "question_type": "Standard"},
{"question": "When?", "answer": "May", "question_type": "Standard", "evidence": [[0,7]]}]})";

// kMixed on one line, and a second data set.
std::string TwoSets() {
  std::string line = kMixed;
  std::erase(line, '\n');
  return absl::StrCat(
      line, "\n",
      R"({"dataset":"b","context":"One two.","questions":[{"question":"q","answer":"two"}]})",
      "\n");
}

TEST(CheckDataset, CountsAndFinds) {
  const ScratchFile file("mixed.jsonl", TwoSets());
  const auto report = CheckDataset(file.path());
  ASSERT_TRUE(report.ok()) << report.status();
  ASSERT_EQ(report->datasets.size(), 2u);
  const DatasetCheck& a = report->datasets[0];
  EXPECT_EQ(a.dataset, "a");
  EXPECT_EQ(a.passages, 1);
  EXPECT_EQ(a.questions, 6);
  EXPECT_EQ(a.words.min(), 10);
  EXPECT_EQ(a.questions_each.max(), 6);
  EXPECT_EQ(a.unanswerable, 1);
  EXPECT_EQ(a.transformed, 1);
  EXPECT_EQ(a.ungrounded, 1);
  EXPECT_EQ(a.without_evidence, 2);
  EXPECT_EQ(a.evidence_mismatch, 1);
  EXPECT_THAT(a.directions, ElementsAre(Pair("", 4), Pair("forward", 1), Pair("reverse", 1)));
  EXPECT_THAT(a.question_types, ElementsAre(Pair("Manipulated", 1), Pair("Standard", 5)));
  EXPECT_THAT(a.hops, ElementsAre(Pair(0, 5), Pair(1, 1)));
  EXPECT_EQ(report->datasets[1].questions, 1);
  EXPECT_FALSE(report->ok());
  EXPECT_THAT(report->findings,
              ElementsAre(HasSubstr(":1: questions[4].answer: \"June\" does not occur"),
                          HasSubstr(":1: questions[5].evidence: \"Ann Lee\" does not hold the "
                                    "answer \"May\"")));
}

TEST(CheckDataset, TellsPeopleAndPrograms) {
  const ScratchFile file("mixed.jsonl", TwoSets());
  const auto report = CheckDataset(file.path());
  ASSERT_TRUE(report.ok());
  const std::string text = CheckText(*report);
  EXPECT_THAT(text, HasSubstr("data set  words per passage  questions per passage  passages"));
  EXPECT_THAT(text, HasSubstr("a                        10                      6         1"));
  EXPECT_THAT(text, HasSubstr("  direction      (none) 4, forward 1, reverse 1\n"));
  EXPECT_THAT(text, HasSubstr("2 findings\n"));
  const auto json = nlohmann::json::parse(CheckJson(*report), nullptr, false);
  ASSERT_TRUE(json.is_object());
  EXPECT_EQ(json["ok"], false);
  EXPECT_EQ(json["findings"].size(), 2u);
  EXPECT_EQ(json["datasets"][0]["words_per_passage"]["mean"], 10.0);
  EXPECT_EQ(json["datasets"][0]["hops"]["1"], 1);
}

TEST(CheckDataset, KeepsTheFirstTwentyFindings) {
  std::string text;
  for (int i = 0; i < 30; ++i) {
    text += R"({"context":"One.","questions":[{"question":"q","answer":"two"}]})"
            "\n";
  }
  const ScratchFile file("bad.jsonl", text);
  const auto report = CheckDataset(file.path());
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->finding_count, 30);
  EXPECT_EQ(report->findings.size(), 20u);
  EXPECT_THAT(CheckText(*report), HasSubstr("and 10 more"));
}

TEST(CheckDataset, BrokenFilesAreErrors) {
  const ScratchFile file("bad.jsonl", TwoSets() + "{\n");
  EXPECT_THAT(CheckDataset(file.path()).status().message(), HasSubstr("bad.jsonl:3: is not valid"));
}

// The bundled samples: small, grounded, at most 13 questions a passage.
}  // namespace
}  // namespace kvscope::orchestrator
