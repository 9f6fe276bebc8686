#include "services/orchestrator/datasets/check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/orchestrator/datasets/grounding.h"
#include "services/orchestrator/sweep/utf8.h"
#include "tests/orchestrator/datasets/scratch_file.h"

namespace kvscope::orchestrator {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::StartsWith;

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
  EXPECT_EQ(a.Findings(FindingKind::kUngrounded), 1);
  EXPECT_EQ(a.Findings(FindingKind::kEvidence), 1);
  EXPECT_EQ(a.Findings(Principle::kGrounding), 2);
  EXPECT_EQ(a.without_evidence, 2);
  EXPECT_EQ(a.untagged, 4);
  EXPECT_EQ(a.held, 0);
  EXPECT_DOUBLE_EQ(a.ForwardShare(), 0.5);
  EXPECT_THAT(a.directions, ElementsAre(Pair("", 4), Pair("forward", 1), Pair("reverse", 1)));
  EXPECT_THAT(a.question_types, ElementsAre(Pair("Manipulated", 1), Pair("Standard", 5)));
  EXPECT_THAT(a.hops, ElementsAre(Pair(0, 5), Pair(1, 1)));
  EXPECT_EQ(report->datasets[1].questions, 1);
  EXPECT_LT(report->datasets[1].ForwardShare(), 0);  // no question says
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
  EXPECT_THAT(text, StartsWith(R"(Sizes (words: mean ± half the range)
data set  words a passage  questions a passage  passages  questions  forward
a                      10                    6         1          6   50.0 %
b                       2                    1         1          1        -
in all                                                 2          7

Answers (how often one stands in its passage, its evidence, how many are without) and findings
data set  stands  evidence  without  grounding  redundancy  directions  clarity  size
a              1         1        2          2           0           0        0     0
b              1         -        1          0           0           0        0     0

a
  direction      (none) 4, forward 1, reverse 1
  answer type    (none) 4, Location 1, Person 1
  question type  Manipulated 1, Standard 5
  hop            0 5, 1 1
)"));
  EXPECT_THAT(text, HasSubstr("2 findings\n"));
  const auto json = nlohmann::json::parse(CheckJson(*report), nullptr, false);
  ASSERT_TRUE(json.is_object());
  EXPECT_EQ(json["ok"], false);
  EXPECT_EQ(json["findings"].size(), 2u);
  EXPECT_EQ(json["datasets"][0]["words_per_passage"]["mean"], 10.0);
  EXPECT_EQ(json["datasets"][0]["hops"]["1"], 1);
  EXPECT_EQ(json["datasets"][0]["findings"]["grounding"]["count"], 2);
  EXPECT_EQ(json["datasets"][0]["findings"]["grounding"]["evidence"], 1);
  EXPECT_EQ(json["datasets"][0]["forward_share"], 0.5);
  EXPECT_TRUE(json["datasets"][1]["forward_share"].is_null());
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

// The report on one passage with one question, both of them members of the JSON line.
CheckReport ReportOn(const std::string& context, const std::string& question) {
  const ScratchFile file("one.jsonl",
                         absl::StrCat(R"({"context": ")", context,
                                      R"(", "questions": [{"question": "q", )", question, "}]}\n"));
  const auto report = CheckDataset(file.path());
  EXPECT_TRUE(report.ok()) << report.status();
  return report.ok() ? *report : CheckReport();
}

constexpr char kPeople[] = "Ann Lee met Bob. Smith and Sons met \u00c9va in the annex.";

TEST(CheckParts, EvidenceMakesUpTheAnswer) {
  const std::pair<const char*, const char*> grounded[] = {
      {"Ann Lee and Bob", "[0,7],[12,15]"},
      {"bob and  ANN Lee", "[0,7],[12,15]"},
      {"Ann Lee, Bob", "[0,7],[12,15]"},
      {"Ann Lee, Bob and \u00c9va", "[0,7],[12,15],[36,39]"},
      {"Bob, Ann Lee, and \u00e9va", "[0,7],[12,15],[36,39]"},
      {"Bob and Smith and Sons", "[12,15],[17,32]"},
  };
  for (const auto& [answer, evidence] : grounded) {
    const CheckReport report = ReportOn(
        kPeople, absl::StrCat(R"("answer": ")", answer, R"(", "evidence": [)", evidence, "]"));
    EXPECT_TRUE(report.ok()) << CheckText(report);
    EXPECT_EQ(report.datasets[0].in_parts, 1) << answer;
    EXPECT_EQ(report.datasets[0].occurrences.max(), 1);
  }
  const CheckReport alias = ReportOn(kPeople, R"("answer": "they", "aliases": ["Bob and Ann Lee"])"
                                              R"(, "evidence": [[0,7],[12,15]])");
  EXPECT_TRUE(alias.ok()) << CheckText(alias);
}

TEST(CheckParts, AllOfTheAnswerAndAllOfTheEvidence) {
  for (const char* question : {
           R"("answer": "Ann Lee and Bob", "evidence": [[0,7],[17,32]])",          // Bob is missing
           R"("answer": "Ann Lee and Bob", "evidence": [[0,7]])",                  // Bob is missing
           R"("answer": "Ann Lee and Bob", "evidence": [[0,7],[12,15],[36,39]])",  // one too many
           R"("answer": "Ann Lee or Bob", "evidence": [[0,7],[12,15]])",           // not so joined
           R"("answer": "Ann Lee and Bob and", "evidence": [[0,7],[12,15]])",
           R"("answer": "Ann Lee and Bob", "question_type": "Part")",  // nobody says where
       }) {
    const CheckReport report = ReportOn(kPeople, question);
    EXPECT_EQ(report.datasets[0].Findings(FindingKind::kUngrounded), 1) << question;
    EXPECT_THAT(report.findings, ElementsAre(HasSubstr(":1: questions[0].answer: \"Ann Lee")));
  }
  EXPECT_TRUE(ReportOn(kPeople, R"("answer": "Smith and Sons", "question_type": "Part")").ok());
}

TEST(CheckParts, EachPlaceOfAPartIsEvidence) {
  const char* context = "Ann met Bob. Bob met Cid.";
  EXPECT_TRUE(
      ReportOn(context, R"("answer": "Ann, Bob", "evidence": [[0,3],[8,11],[13,16]])").ok());
  const CheckReport report =
      ReportOn(context, R"("answer": "Ann, Bob", "evidence": [[0,3],[8,11]])");
  EXPECT_EQ(report.datasets[0].occurrences.max(), 2);
  EXPECT_THAT(report.findings,
              ElementsAre(HasSubstr("evidence: the answer's part \"bob\" also stands where no "
                                    "evidence is, at character 13")));
}

TEST(CheckRedundancy, CountsWordsNotLetters) {
  const char* context = "Ann went to the Annex. ann  slept.";
  const CheckReport all = ReportOn(context, R"("answer": "Ann", "evidence": [[0,3],[23,26]])");
  EXPECT_TRUE(all.ok()) << CheckText(all);
  EXPECT_EQ(all.datasets[0].occurrences.max(), 2);
  const CheckReport one = ReportOn(context, R"("answer": "Ann", "evidence": [[0,8]])");
  EXPECT_THAT(one.findings,
              ElementsAre(HasSubstr("the answer \"Ann\" also stands where no evidence is, at "
                                    "character 23; evidence must be all places where it stands, 2 "
                                    "in this context")));
  EXPECT_EQ(one.datasets[0].Findings(Principle::kRedundancy), 1);
  const CheckReport untold = ReportOn(context, R"("answer": "Ann")");
  EXPECT_TRUE(untold.ok()) << "nobody said where it stands";
}

TEST(CheckTags, OthersThanThePapersAreToldNotFound) {
  const CheckReport report =
      ReportOn("One.", R"("answer": "one", "answer_type": "Fa\nke", "question_type": "Standard")");
  EXPECT_TRUE(report.ok());
  const std::string text = CheckText(report);
  EXPECT_THAT(text, HasSubstr("  answer type    \"Fa\\x0ake\"* 1\n"));
  EXPECT_THAT(text, HasSubstr("\n* not one of the paper's tags\n"));
  const auto json = nlohmann::json::parse(CheckJson(report));
  EXPECT_EQ(json["datasets"][0]["unlisted_answer_types"], nlohmann::json({"Fa\nke"}));
  EXPECT_TRUE(json["datasets"][0]["unlisted_question_types"].empty());
}

TEST(CheckText, KeepsToItsWidth) {
  std::string questions;
  for (int i = 0; i < 60; ++i) {
    absl::StrAppend(&questions, i == 0 ? "" : ",", R"({"question":"q)", i,
                    R"(","answer":"One","answer_type":"kind-)", i * 1001, "\"}");
  }
  const ScratchFile file("wide.jsonl",
                         absl::StrCat(R"({"dataset":"a-name-that-is-longer-than-a-column",)"
                                      R"("context":"One.","questions":[)",
                                      questions, "]}\n"));
  const auto report = CheckDataset(file.path());
  ASSERT_TRUE(report.ok()) << report.status();
  size_t longest = 0;
  for (const auto line : absl::StrSplit(CheckText(*report), '\n')) {
    longest = std::max(longest, CountCodePoints({line.data(), line.size()}));
  }
  EXPECT_LE(longest, 100u);
  EXPECT_GT(longest, 90u);
}

}  // namespace
}  // namespace kvscope::orchestrator
