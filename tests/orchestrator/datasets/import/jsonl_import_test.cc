#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "services/orchestrator/datasets/passage_json.h"
#include "tests/orchestrator/datasets/import/imported.h"

namespace kvscope::orchestrator {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr char kFull[] =
    R"({"dataset":"d","passage_id":"p","context":"Ann é lives.","questions":[{"question_id":"q",)"
    R"("question":"Who?","answer":"Ann","aliases":["Anna"],"direction":"reverse",)"
    R"("answer_type":"Person","question_type":"Standard","hop":2,"evidence":[[0,3],[4,12]]}]})";

TEST(ImportJsonl, OurOwnSchemaComesBackAsItWas) {
  const auto imported = ImportFrom("mine.jsonl", absl::StrCat(kFull, "\n"));
  ASSERT_TRUE(imported.report.written);
  ASSERT_THAT(imported.passages, SizeIs(1));
  EXPECT_EQ(FormatPassage(imported.passages[0]), kFull);
}

TEST(ImportJsonl, GroupsRowsOfOneContext) {
  const auto imported = ImportFrom("mine.jsonl",
                                   R"({"context": "Ann is 5.", "question": "Who?", "answer": "Ann"}
{"context": "Bob is 6.", "question": "Who?", "answer": "bob"}
{"context": "Ann is 5.", "question": "Age?", "answers": [5, "5", "Ann"], "aliases": ["five"]}
)");
  ASSERT_TRUE(imported.report.written);
  EXPECT_EQ(imported.report.rows_taken(), 3);
  ASSERT_THAT(imported.passages, SizeIs(2));
  const Passage& first = imported.passages[0];
  EXPECT_EQ(first.dataset, "mine");
  EXPECT_EQ(first.passage_id, "mine-000");
  EXPECT_EQ(imported.passages[1].passage_id, "mine-001");
  ASSERT_THAT(first.questions, SizeIs(2));
  EXPECT_EQ(first.questions[1].question_id, "mine-000-01");
  EXPECT_EQ(first.questions[1].answer, "5");
  EXPECT_THAT(first.questions[1].aliases, ElementsAre("Ann", "five"));
  EXPECT_THAT(first.questions[1].evidence, ElementsAre(Evidence{7, 8}));
  EXPECT_THAT(EvidenceTexts(imported.passages[1], 0), ElementsAre("Bob"));
}

TEST(ImportJsonl, NamesAndIdsThatRowsBring) {
  const std::string rows =
      R"({"context": "Ann.", "question": "A?", "answer": "Ann", "dataset": "x", "id": "q7"}
{"context": "Ann.", "question": "B?", "answer": "Ann", "passage_id": "mine-000"}
{"context": "Ann.", "question": "C?", "answer": "Ann"}
{"context": "Ann.", "question": "D?", "answer": "Ann", "passage_id": "mine-000"})";
  const auto imported = ImportFrom("mine.jsonl", rows);
  ASSERT_THAT(imported.passages, SizeIs(3));
  EXPECT_EQ(imported.passages[0].dataset, "x");
  EXPECT_EQ(imported.passages[0].questions[0].question_id, "q7");
  EXPECT_EQ(imported.passages[1].passage_id, "mine-000");
  EXPECT_THAT(imported.passages[1].questions, SizeIs(2));
  EXPECT_EQ(imported.passages[2].passage_id, "mine-001");  // mine-000 was taken
  ImportOptions named;
  named.dataset = "all";
  EXPECT_EQ(ImportFrom("mine.jsonl", rows, named).passages[0].dataset, "all");
}

TEST(ImportJsonl, AnswersOfSquadExports) {
  const auto imported = ImportFrom("mine.jsonl",
                                   R"([{"context": "Ann saw Ann.", "question": "Who?",
  "answers": {"text": ["Ann", "Ann", "saw"], "answer_start": [8, 0, 4]}},
 {"context": "Ann saw Ann.", "question": "Why?", "answers": {"text": [], "answer_start": []}},
 {"context": "Ann saw Ann.", "question": "When?", "answer": "then", "is_impossible": true}])");
  ASSERT_TRUE(imported.report.written) << imported.status;
  const auto& questions = imported.passages[0].questions;
  ASSERT_THAT(questions, SizeIs(3));
  EXPECT_THAT(questions[0].aliases, ElementsAre("saw"));
  EXPECT_THAT(questions[0].evidence, ElementsAre(Evidence{8, 11}, Evidence{0, 3}, Evidence{4, 7}));
  EXPECT_EQ(questions[1].answer, kUnknownAnswer);
  EXPECT_EQ(questions[2].answer, kUnknownAnswer);
  EXPECT_THAT(questions[2].evidence, IsEmpty());
  EXPECT_EQ(imported.report.unanswerable, 2);
}

TEST(ImportJsonl, ManipulatedAnswersNeedNoPlace) {
  const auto imported = ImportFrom(
      "m.jsonl",
      R"({"context": "1 May", "question": "W?", "answer": "5", "question_type": "Manipulated"})");
  ASSERT_TRUE(imported.report.written);
  EXPECT_THAT(imported.passages[0].questions[0].evidence, IsEmpty());
}

TEST(ImportJsonl, AnAnswerMayBeGatheredFromItsEvidence) {
  const auto row = [](const std::string& answer) {
    return absl::StrCat(R"({"context": "Ann saw Bob, not Annie.", "question": "Who?", "answer": ")",
                        answer, R"(", "evidence": [[0, 3], [8, 11], [17, 22]]})");
  };
  EXPECT_TRUE(ImportFrom("f.jsonl", row("bob, annie and Ann")).report.written);
  EXPECT_FALSE(ImportFrom("f.jsonl", row("Ann and Cy")).report.written);
  EXPECT_FALSE(ImportFrom("f.jsonl", row("Ann, Bob and ")).report.written);
}

// One row between two good ones, and the only problem that it causes.
std::string ProblemOf(const std::string& row) {
  const std::string good = R"({"context": "Ann.", "question": "Who?", "answer": "Ann"})";
  const std::string text = absl::StrCat(good, "\n", row, "\n", good, "\n");
  const auto strict = ImportFrom("f.jsonl", text);
  EXPECT_FALSE(strict.report.written);
  const auto imported = ImportGood("f.jsonl", text);
  EXPECT_TRUE(imported.report.written);
  EXPECT_EQ(imported.report.rows_read(), 3);
  EXPECT_EQ(imported.report.rows_taken(), 2);
  EXPECT_THAT(imported.report.problems, SizeIs(1));
  EXPECT_EQ(strict.report.problems, imported.report.problems);
  EXPECT_THAT(imported.report.left_out, SizeIs(1));
  return imported.report.problems.empty()
             ? ""
             : absl::StrCat(std::string(ReasonName(imported.report.left_out.begin()->first)), " ",
                            imported.report.problems[0]);
}

TEST(ImportJsonl, NamesPlaceAndReason) {
  EXPECT_EQ(ProblemOf(R"({"context": "Ann.", "question": "Who?"})"),
            "no_answer f.jsonl:2: answer: is missing");
  EXPECT_EQ(ProblemOf(R"({"context": "Ann.", "question": "Who?", "anser": "Ann"})"),
            "no_answer f.jsonl:2: answer: is missing; is \"anser\" meant to be it?");
  EXPECT_EQ(ProblemOf(R"({"context": "Ann.", "question": "Who?", "answers": []})"),
            "no_answer f.jsonl:2: answers: is missing or empty, must be text");
  EXPECT_EQ(ProblemOf(R"({"context": "Ann.", "question": " ", "answer": "Ann"})"),
            "no_question f.jsonl:2: question: is blank, must be text");
  EXPECT_EQ(ProblemOf(R"({"question": "Who?", "answer": "Ann"})"),
            "no_context f.jsonl:2: context: is missing");
  EXPECT_EQ(ProblemOf(R"({"context": "Ann.", "question": "Who?", "answer": "Bob"})"),
            "answer_not_in_passage f.jsonl:2: answer: \"Bob\" does not occur in the context");
  EXPECT_EQ(ProblemOf(R"({"context": "Ann.", "question": "Who?", "answer": [["Ann"]]})"),
            "wrong_field f.jsonl:2: answer[0]: is a list, must be text");
  EXPECT_EQ(ProblemOf(R"({"context": "Ann.", "question": "Who?", "answer": true})"),
            "wrong_field f.jsonl:2: answer: is true, must be a list");
  EXPECT_EQ(ProblemOf(R"({"context": 1.5, "question": "Who?", "answer": "Ann"})"),
            "wrong_field f.jsonl:2: context: is 1.5, must be text");
  EXPECT_EQ(ProblemOf(R"({"context": "Ann.", "question": "Who?", "answer": "Ann", "hop": -1})"),
            "wrong_field f.jsonl:2: hop: is -1, must be a whole number from 0 to 100");
  EXPECT_EQ(
      ProblemOf(R"({"context": "Ann.", "question": "W?", "answer": "Ann", "direction": "b"})"),
      "wrong_field f.jsonl:2: direction: is \"b\", must be forward or reverse");
  EXPECT_EQ(ProblemOf(R"({"context": "A\u0000.", "question": "Who?", "answer": "A"})"),
            "wrong_field f.jsonl:2: context: contains a NUL character, which no text may");
  EXPECT_EQ(ProblemOf("{\"context\": \"Ann \xC3(\", \"question\": \"Who?\", \"answer\": \"Ann\"}"),
            "not_utf8 f.jsonl:2: byte 18 of the line is not UTF-8");
  EXPECT_THAT(ProblemOf(R"({"context": "Ann.", "question": "Who?", "answer": "\ud800"})"),
              HasSubstr("malformed f.jsonl:2: is not valid JSON at byte "));
  EXPECT_EQ(ProblemOf("[1]"), "malformed f.jsonl:2: is a list, must be an object");
  EXPECT_EQ(ProblemOf(R"({"context": "Ann.", "context": "b", "question": "W?", "answer": "Ann"})"),
            "malformed f.jsonl:2: key \"context\" is given twice");
  EXPECT_EQ(ProblemOf(R"({"context": "Ann saw.", "question": "W?", "answer": "saw",)"
                      R"( "answer_start": 2})"),
            "wrong_place f.jsonl:2: answer_start: is 2, where the context reads \"n s\", but the "
            "answer \"saw\" stands at 4");
  EXPECT_EQ(ProblemOf(R"({"context": "Ann saw.", "question": "W?", "answer": "saw",)"
                      R"( "evidence": [[0, 3]]})"),
            "wrong_place f.jsonl:2: evidence: \"Ann\" does not hold the answer \"saw\"");
  EXPECT_THAT(ProblemOf(R"({"context": "Ann saw.", "question": "W?", "answer": "saw",)"
                        R"( "support": [[0, 3], [3, 3]]})"),
              HasSubstr("wrong_field f.jsonl:2: support[1]: must be [start, end]"));
  EXPECT_EQ(ProblemOf(R"({"context": "Ann saw.", "question": "W?", "answer": "saw",)"
                      R"( "evidence": [[0, 30]]})"),
            "wrong_field f.jsonl:2: evidence[0]: must be [start, end] with 0 <= start < end <= 8, "
            "the context's length in characters");
}

TEST(ImportJsonl, QuestionsOfAPassageAreJudgedOneByOne) {
  const auto imported = ImportGood("f.jsonl", R"({"context": "Ann saw.", "questions": [
      {"question": "Who?", "answer": "Ann"}, {"question": "What?"}, 5,
      {"question": "When?", "answer": "now"}, {"question": "Did?", "answer": "saw"}]})");
  EXPECT_EQ(imported.report.rows_read(), 3);  // a line ends where it ends
  const auto whole =
      ImportGood("f.jsonl", R"({"context": "Ann saw.", "questions": [)"
                            R"({"question": "Who?", "answer": "Ann"}, {"question": "What?"}, 5,)"
                            R"({"question": "When?", "answer": "now"},)"
                            R"({"question": "Did?", "answer": "saw"}]})");
  EXPECT_EQ(whole.report.rows_read(), 5);
  EXPECT_THAT(whole.report.problems,
              ElementsAre("f.jsonl:1: questions[1].answer: is missing",
                          "f.jsonl:1: questions[2]: is 5, must be an object",
                          "f.jsonl:1: questions[3].answer: \"now\" does not occur in the context"));
  ASSERT_THAT(whole.passages, SizeIs(1));
  EXPECT_THAT(whole.passages[0].questions, SizeIs(2));
}

TEST(ImportJsonl, ABadContextCountsAllItsQuestions) {
  const auto imported =
      ImportGood("f.jsonl", R"({"questions": [{"question": "Who?", "answer": "Ann"},)"
                            R"( {"question": "Who?", "answer": "Ann"}]})");
  EXPECT_EQ(imported.report.rows_read(), 2);
  EXPECT_EQ(imported.report.left_out.at(Reason::kNoContext), 2);
  EXPECT_THAT(imported.report.problems, ElementsAre("f.jsonl:1: context: is missing"));
  EXPECT_FALSE(imported.report.written);  // there is no good row
}

TEST(ImportJsonl, IdsMustBeUnique) {
  const std::string line =
      R"({"passage_id":"p","context":"Ann.","questions":[{"question":"W?","answer":"Ann"}]})";
  EXPECT_THAT(ImportFrom("f.jsonl", line + "\n" + line).report.problems,
              ElementsAre("f.jsonl:2: passage_id: \"p\" was already used in f.jsonl:1, but an id "
                          "must be unique"));
  EXPECT_THAT(ImportFrom("f.jsonl",
                         R"({"context": "Ann.", "question": "A?", "answer": "Ann", "id": "q"}
{"context": "Bob.", "question": "B?", "answer": "Bob", "id": "q"})")
                  .report.problems,
              ElementsAre("f.jsonl:2: id: \"q\" was already used in f.jsonl:1, but an id must be "
                          "unique"));
  EXPECT_THAT(
      ImportFrom("f.jsonl",
                 R"({"context": "Ann.", "question": "A?", "answer": "Ann", "passage_id": "p"}
{"context": "Bob.", "question": "B?", "answer": "Bob", "passage_id": "p"})")
          .report.problems,
      ElementsAre(HasSubstr("f.jsonl:2: passage_id: \"p\" was already used in f.jsonl:1")));
}

TEST(ImportJsonl, LongIdsStayUniqueWhenCountedOn) {
  const std::string long_id(200, 'p');
  std::string rows;
  for (const char* end : {"a", "b"}) {
    absl::StrAppend(&rows,
                    R"({"context": "Ann.", "question": "A?", "answer": "Ann", "passage_id": ")",
                    long_id.substr(1), end, "\"}\n");
  }
  const auto imported = ImportFrom("f.jsonl", rows);
  ASSERT_THAT(imported.passages, SizeIs(2));  // read back, so ids are unique and short enough
}

TEST(ImportJsonl, TwentyProblemsAreTold) {
  std::string rows;
  for (int i = 0; i < 30; ++i)
    absl::StrAppend(&rows, R"({"context": "Ann.", "answer": ")", i, "\"}\n");
  const auto imported = ImportGood("f.jsonl", rows);
  EXPECT_THAT(imported.report.problems, SizeIs(20));
  EXPECT_THAT(ImportText(imported.report), HasSubstr("and 10 more\n"));
  EXPECT_THAT(ImportText(imported.report), HasSubstr("30 rows read, 0 taken, 30 left out"));
}

TEST(ImportJsonl, TheWindowCountsContextAndQuestion) {
  ImportOptions options;
  options.count_tokens = [](std::string_view text) { return static_cast<int64_t>(text.size()); };
  options.window = 8;
  const std::string rows = R"({"context": "Ann.", "question": "Who?", "answer": "Ann"}
{"context": "Ann.", "question": "Who ?", "answer": "Ann"})";
  EXPECT_THAT(ImportFrom("f.jsonl", rows, options).report.problems,
              ElementsAre("f.jsonl:2: context: is 4 tokens long and the question 5, together at "
                          "most 8 are allowed: the window"));
}

TEST(ImportJsonl, ManyFilesShareIds) {
  const ScratchFile a("a.jsonl", R"({"context": "Ann.", "question": "A?", "answer": "Ann"})");
  const ScratchFile b("b.jsonl", R"({"context": "Ann.", "question": "B?", "answer": "Bob"})");
  ImportOptions options;
  options.files = {a.path(), b.path()};
  options.out = a.folder() + "/out.jsonl";
  options.skip_bad = true;
  const auto report = ImportFiles(options);
  ASSERT_TRUE(report.ok());
  ASSERT_THAT(report->files, SizeIs(2));
  EXPECT_EQ(report->files[0].rows_taken, 1);
  EXPECT_EQ(report->files[1].rows_taken, 0);
}

TEST(Import, SaysWhatItCannotUse) {
  ImportOptions options;
  options.format = "sqaud";
  EXPECT_THAT(ImportFrom("f.json", "{}", options).status.message(),
              HasSubstr("\"sqaud\" is no format; did you mean \"squad\"?"));
  EXPECT_EQ(ImportFrom("f.json", R"({"version": 1, "rows": []})").status.message(),
            "f.json: is JSON with the keys \"version\", \"rows\", which looks like none of the "
            "formats; say it with --format");
  EXPECT_EQ(ImportFrom("f.txt", "hello\n").status.message(),
            "f.txt: begins with \"hello\", which looks like none of the formats; say it with "
            "--format");
  EXPECT_THAT(ImportFrom("f.txt", "").status.message(), HasSubstr("f.txt: is empty"));
  options = {};
  options.files = {"no/such.jsonl"};
  options.out = testing::TempDir() + "/import-out.jsonl";
  EXPECT_EQ(ImportFiles(options).status().code(), absl::StatusCode::kNotFound);
  options.out = "no/such/folder.jsonl";
  EXPECT_THAT(ImportFiles(options).status().message(), HasSubstr("no/such/folder.jsonl"));
}

TEST(Import, AFileThatWasThereStaysUnlessANewOneIsWhole) {
  const ScratchFile out("out.jsonl", "old");
  const ScratchFile in("in.jsonl", R"({"context": "Ann.", "question": "A?"})");
  ImportOptions options;
  options.files = {in.path()};
  options.out = out.path();
  ASSERT_TRUE(ImportFiles(options).ok());
  EXPECT_EQ(ScratchFile::Read(out.path()), "old");
}

}  // namespace
}  // namespace kvscope::orchestrator
