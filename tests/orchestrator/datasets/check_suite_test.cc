// Our suites hold to their rules, and whatever breaks one is found.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/orchestrator/datasets/check.h"
#include "services/orchestrator/datasets/generator.h"
#include "services/orchestrator/datasets/jsonl.h"
#include "services/orchestrator/datasets/suite_rules.h"
#include "tests/orchestrator/datasets/scratch_file.h"

namespace kvscope::orchestrator {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Passages = std::vector<Passage>;

Passages Generated(const char* suite, Scale scale, int64_t passages) {
  Passages made;
  const absl::Status status =
      Generate({suite, scale, passages, /*seed=*/1}, [&](const Passage& passage) {
        made.push_back(passage);
        return absl::OkStatus();
      });
  EXPECT_TRUE(status.ok()) << status;
  return made;
}

CheckReport Checked(const Passages& passages) {
  const ScratchFile file("suite.jsonl");
  auto writer = PassageWriter::Create(file.path());
  EXPECT_TRUE(writer.ok()) << writer.status();
  for (const Passage& passage : passages) EXPECT_TRUE(writer->Write(passage).ok());
  EXPECT_TRUE(writer->Close().ok());
  const auto report = CheckDataset(file.path());
  EXPECT_TRUE(report.ok()) << report.status();
  return report.ok() ? *report : CheckReport();
}

class OurSuites : public testing::TestWithParam<const SuiteRule*> {};

// The suites that the paper had written by a model in full; of the two by template, and of the
// pocket scale, the first passages.
TEST_P(OurSuites, KeepToTheirRules) {
  const SuiteRule& rule = *GetParam();
  const int64_t passages = rule.passages == 0 ? 200 : std::min<int64_t>(rule.passages, 400);
  const std::string suite(rule.suite);
  const CheckReport report = Checked(Generated(suite.c_str(), rule.scale, passages));
  EXPECT_TRUE(report.ok()) << CheckText(report);
  ASSERT_EQ(report.datasets.size(), 1u);
  const DatasetCheck& row = report.datasets[0];
  EXPECT_EQ(row.passages, passages);
  EXPECT_EQ(row.held, passages);
  EXPECT_GE(row.words.min(), rule.words.low);
  EXPECT_LE(row.words.max(), rule.words.high);
  EXPECT_EQ(row.untagged, 0);
  EXPECT_EQ(row.without_evidence, 0);
  if (passages == rule.passages) {
    EXPECT_EQ(row.questions, rule.total_questions);
  }
}

std::vector<const SuiteRule*> AllRules() {
  std::vector<const SuiteRule*> rules;
  for (const SuiteRule& rule : SuiteRules()) rules.push_back(&rule);
  return rules;
}

INSTANTIATE_TEST_SUITE_P(Check, OurSuites, testing::ValuesIn(AllRules()), [](const auto& info) {
  return absl::StrCat(std::string(info.param->suite), "_",
                      std::string(ScaleName(info.param->scale)));
});

// One way to break a suite, and what is said of it.
struct Defect {
  FindingKind kind;
  const char* suite;
  Scale scale;
  int64_t passages;
  std::function<void(Passages&)> plant;
  const char* says;
};

void PrintTo(const Defect& defect, std::ostream* os) { *os << defect.says; }

// The first question of passage `passage` that goes in `direction` and stands as a whole in it.
Question& Asked(Passages& passages, std::string_view direction, int64_t hop = 0,
                size_t passage = 0) {
  auto& questions = passages[passage].questions;
  return *std::find_if(questions.begin(), questions.end(), [&](const Question& question) {
    return question.direction == direction && question.hop == hop &&
           question.question_type == kStandard && !question.evidence.empty();
  });
}

// Drops a reverse question of passage `passage`.
void DropReverse(Passages& passages, size_t passage) {
  auto& questions = passages[passage].questions;
  questions.erase(questions.begin() + (&Asked(passages, kReverse, 0, passage) - questions.data()));
}

void AskAgain(Passages& passages, bool same_answer) {
  Question& first = Asked(passages, kForward);
  for (Question& question : passages[0].questions) {
    if (&question == &first || question.direction != kForward) continue;
    const std::string id = question.question_id;
    if (same_answer) question = first;
    question.question_id = id;
    question.question = absl::StrCat(" ", first.question);
    return;
  }
}

const Defect kDefects[] = {
    {FindingKind::kUngrounded, "base", Scale::kPaper, 1,
     [](Passages& p) { Asked(p, kForward).answer = "Nobody Here"; },
     ".answer: \"Nobody Here\" does not occur in the context, as an answer must unless"},
    {FindingKind::kEvidence, "base", Scale::kPaper, 1,
     [](Passages& p) {
       Asked(p, kForward).evidence = {{0, 1}};
     },
     " does not hold the answer "},
    {FindingKind::kSupport, "hops", Scale::kPocket, 1,
     [](Passages& p) { Asked(p, kForward, 2).support.pop_back(); }, ".support[1]: "},
    {FindingKind::kSupport, "hops", Scale::kPaper, 1,
     [](Passages& p) { Asked(p, kReverse, 3).support.resize(3); },
     ".support: leads over 1 bridge, hop 3 over 2 or 3"},
    {FindingKind::kRedundant, "multi_entity", Scale::kPocket, 1,
     [](Passages& p) { Asked(p, kReverse).evidence.pop_back(); },
     " also stands where no evidence is, at character "},
    {FindingKind::kAmbiguous, "base", Scale::kPocket, 1,
     [](Passages& p) { AskAgain(p, /*same_answer=*/false); }, " was asked before in questions["},
    {FindingKind::kRepeated, "base", Scale::kPocket, 1,
     [](Passages& p) { AskAgain(p, /*same_answer=*/true); }, ", also with the answer "},
    {FindingKind::kOccurrences, "hops", Scale::kPocket, 1,
     [](Passages& p) {
       Question& question = Asked(p, kForward);
       question.answer = "was";
       question.evidence.clear();
     },
     " times, the answer of a forward question of hops at pocket scale 1 to 2 times"},
    {FindingKind::kOccurrences, "knowledge", Scale::kPaper, 1,
     [](Passages& p) { p[0].questions.back().answer = "Nobody"; },  // a Manipulated one
     "\"Nobody\" stands in the context 0 times, the answer of a "},
    {FindingKind::kForward, "base", Scale::kPocket, 1,
     [](Passages& p) { Asked(p, kForward).direction = kReverse; },
     ":1: questions: has 2 forward ones, base at pocket scale has 3"},
    {FindingKind::kDirection, "base", Scale::kPocket, 1,
     [](Passages& p) { Asked(p, kReverse).direction = ""; },
     ".direction: is \"\", base at pocket scale has forward, reverse"},
    {FindingKind::kUnknown, "base", Scale::kPocket, 1,
     [](Passages& p) { Asked(p, kForward).answer = kUnknownAnswer; },
     ":1: questions: has 1 without an answer, base at pocket scale has 0"},
    {FindingKind::kHops, "base", Scale::kPaper, 1, [](Passages& p) { Asked(p, kForward).hop = 1; },
     ":1: questions: are of hops 0, 1, base at paper scale has 0"},
    {FindingKind::kAnswerType, "base", Scale::kPaper, 1,
     [](Passages& p) { Asked(p, kForward).answer_type = "Colour"; },
     ".answer_type: is \"Colour\", base at paper scale has Person, Thing, Organization, "},
    {FindingKind::kAnswerType, "base", Scale::kPaper, 200,
     [](Passages& p) {
       for (Passage& passage : p) {
         for (Question& question : passage.questions) {
           if (question.answer_type == "Creature") question.answer_type = "Thing";
         }
       }
     },
     "suite.jsonl: questions: none has the answer_type \"Creature\", base at paper scale has "},
    {FindingKind::kQuestionType, "base", Scale::kPocket, 1,
     [](Passages& p) { Asked(p, kForward).question_type = kManipulated; },
     ".question_type: is \"Manipulated\", base at pocket scale has Standard"},
    {FindingKind::kQuestionType, "hops", Scale::kPaper, 100,
     [](Passages& p) {
       for (Passage& passage : p) {
         for (Question& question : passage.questions) question.question_type = kStandard;
       }
     },
     "suite.jsonl: questions: none has the question_type \"Manipulated\", hops at paper scale"},
    {FindingKind::kWords, "coreference", Scale::kPaper, 2,
     [](Passages& p) { p[1].context += " Rain fell."; },
     "suite.jsonl:2: context: has 46 words, coreference at paper scale has 44"},
    {FindingKind::kQuestions, "base", Scale::kPocket, 3, [](Passages& p) { DropReverse(p, 2); },
     "suite.jsonl:3: questions: has 5 elements, base at pocket scale has 6"},
    {FindingKind::kTotal, "base", Scale::kPaper, 200,
     [](Passages& p) { DropReverse(p, 7); },  // 5 or 6 are allowed, so only the sum tells
     "suite.jsonl: questions: are 1198 in all, base at paper scale has 1199"},
};

class PlantedDefect : public testing::TestWithParam<Defect> {};

TEST_P(PlantedDefect, IsFound) {
  const Defect& defect = GetParam();
  Passages passages = Generated(defect.suite, defect.scale, defect.passages);
  defect.plant(passages);
  const CheckReport report = Checked(passages);
  EXPECT_THAT(report.findings, ElementsAre(HasSubstr(defect.says)));
  ASSERT_EQ(report.datasets.size(), 1u);
  EXPECT_EQ(report.datasets[0].Findings(defect.kind), 1);
}

INSTANTIATE_TEST_SUITE_P(Check, PlantedDefect, testing::ValuesIn(kDefects), [](const auto& info) {
  return absl::StrCat(std::string(kFindingKinds[static_cast<size_t>(info.param.kind)].name), "_",
                      info.index);
});

TEST(PlantedDefects, AreOfEveryKind) {
  std::set<size_t> missing;
  for (size_t kind = 0; kind < kFindingKinds.size(); ++kind) missing.insert(kind);
  for (const Defect& defect : kDefects) missing.erase(static_cast<size_t>(defect.kind));
  EXPECT_THAT(missing, IsEmpty());
}

// A file of one's own is not held to a suite's rules, whatever it is called.
TEST(CheckSuite, HoldsOnlyPassagesOfThatIdAndName) {
  const std::pair<const char*, int64_t> ids[] = {
      {"base-paper-1-0000", 1}, {"base-paper-18446744073709551615-12345", 1},
      {"base-000", 0},          {"base-paper-1", 0},
      {"base-paper--0000", 0},  {"base-paper-1-0000-x", 0},
      {"base-llm-1-0000", 0},   {"base-training-1-0000", 0},
      {"hops-paper-1-0000", 0}, {"base-paper-x-0000", 0}};
  for (const auto& [id, held] : ids) {
    Passages passages = Generated("base", Scale::kPaper, 1);
    passages[0].passage_id = id;
    EXPECT_EQ(Checked(passages).datasets[0].held, held) << id;
    passages[0].dataset = "mine";
    EXPECT_EQ(Checked(passages).datasets[0].held, 0) << id;
  }
}

}  // namespace
}  // namespace kvscope::orchestrator
