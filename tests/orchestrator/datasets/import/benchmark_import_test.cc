// LongBench's and RULER's shapes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/orchestrator/datasets/import/imported.h"

namespace kvscope::orchestrator {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

TEST(ImportLongBench, ReadsItsFields) {
  const auto imported = ImportFrom(
      "hotpotqa.jsonl",
      R"({"input": "Who?", "context": "Passage 1:\nAnn Lee.", "answers": ["Ann Lee", "Ann"],)"
      R"( "length": 4, "dataset": "hotpotqa", "language": "en", "all_classes": null, "_id": "ab"}
{"input": "Where?", "context": "Bob sits in Rome.", "answers": ["rome"], "length": 4,)"
      R"( "dataset": "hotpotqa_e", "language": "en", "all_classes": ["x"], "_id": "cd"})");
  ASSERT_TRUE(imported.report.written) << imported.status;
  EXPECT_EQ(imported.report.files[0].format, "longbench");
  ASSERT_THAT(imported.passages, SizeIs(2));
  EXPECT_EQ(imported.passages[1].dataset, "hotpotqa_e");
  EXPECT_EQ(imported.passages[1].passage_id, "hotpotqa_e-000");
  const Question& question = imported.passages[0].questions[0];
  EXPECT_EQ(question.question_id, "ab");
  EXPECT_EQ(question.question, "Who?");
  EXPECT_EQ(question.answer, "Ann Lee");
  EXPECT_THAT(question.aliases, ElementsAre("Ann"));
  EXPECT_THAT(question.evidence, ElementsAre(Evidence{11, 18}));
}

TEST(ImportLongBench, TasksWithoutAQuestionOrPlaceAreLeftOut) {
  const auto imported = ImportGood("gov_report.jsonl",
                                   R"({"input": "", "context": "Ann.", "answers": ["Ann"]}
{"input": "How many?", "context": "Ann.", "answers": ["3"], "_id": "x"}
{"input": "Who?", "context": "Ann.", "answers": ["Ann"], "_id": "y"}
{"input": "Who?", "context": "Ann.", "answers": ["Ann"], "_id": "y"}
{"input": "Who?", "context": "Ann.", "_id": "z"})");
  EXPECT_THAT(imported.report.problems,
              ElementsAre("gov_report.jsonl:1: input: is missing or empty, must be text",
                          "gov_report.jsonl:2: answers: \"3\" does not occur in the context",
                          HasSubstr("gov_report.jsonl:4: _id: \"y\" was already used"),
                          "gov_report.jsonl:5: answers: is missing"));
  EXPECT_THAT(imported.passages, SizeIs(1));
}

TEST(ImportRuler, TheLastLineIsTheQuestion) {
  const auto imported = ImportFrom(
      "niah.jsonl",
      R"({"index": 0, "input": "Numbers are hidden. Memorize.\nThe magic number for oak is: 71.\n)"
      R"(What are all the special magic numbers for oak mentioned in the provided text?",)"
      R"( "outputs": ["71"], "length": 30, "answer_prefix": )"
      R"(" The special magic numbers for oak mentioned in the provided text are"}
{"index": 1, "input": "Hidden.\nThe number for elm is: 12. And 34.\n)"
      R"(What are all the special magic numbers for elm mentioned in the provided text?)"
      R"( The special magic numbers for elm mentioned in the provided text are",)"
      R"( "outputs": ["12", "34"], "length": 30}
{"index": 2, "input": "Track.\n\nVAR A = 5 VAR B = A\n)"
      R"(Question: Find all variables that are assigned the value 5 in the text above.)"
      R"( Answer: According to the text, 2 variables are: ", "outputs": ["A", "B"]}
{"index": 3, "input": "Answer the question based on the given documents. Only.\n\nDocument 1:\n)"
      R"(Ann Lee sang.\n\nAnswer the question based on the given documents.\n\n)"
      R"(Question: Who sang?", "outputs": ["Ann Lee", "Ann"], "answer_prefix": " Answer:"}
)");
  ASSERT_TRUE(imported.report.written) << imported.status;
  EXPECT_EQ(imported.report.files[0].format, "ruler");
  ASSERT_THAT(imported.passages, SizeIs(4));
  const Passage& single = imported.passages[0];
  EXPECT_EQ(single.context, "Numbers are hidden. Memorize.\nThe magic number for oak is: 71.");
  EXPECT_EQ(single.questions[0].question,
            "What are all the special magic numbers for oak mentioned in the provided text?");
  EXPECT_THAT(EvidenceTexts(single, 0), ElementsAre("71"));
  const Question& several = imported.passages[1].questions[0];
  EXPECT_EQ(several.question,
            "What are all the special magic numbers for elm mentioned in the provided text?");
  EXPECT_EQ(several.answer, "12, 34");
  EXPECT_EQ(several.question_type, kPart);
  EXPECT_THAT(EvidenceTexts(imported.passages[1], 0), ElementsAre("12", "34"));
  EXPECT_EQ(imported.passages[2].questions[0].question,
            "Find all variables that are assigned the value 5 in the text above.");
  EXPECT_THAT(EvidenceTexts(imported.passages[2], 0), ElementsAre("A", "A", "B"));
  const Question& variants = imported.passages[3].questions[0];
  EXPECT_EQ(variants.question, "Who sang?");
  EXPECT_EQ(variants.answer, "Ann Lee");
  EXPECT_THAT(variants.aliases, ElementsAre("Ann"));
}

TEST(ImportRuler, NamesPlaceAndReason) {
  const auto imported = ImportGood("vt.jsonl",
                                   R"({"input": "one line", "outputs": ["one"]}
{"input": "a 1\nWhat?", "outputs": ["1", "2"]}
{"input": "a 1\nWhat?", "outputs": []}
{"input": "a 1\nWhat?", "outputs": ["1", ""]}
{"input": "a 1\nWhat?", "outputs": "1"}
{"outputs": ["1"]})");
  EXPECT_THAT(imported.report.problems,
              ElementsAre("vt.jsonl:1: input: has only one line, but the last must be the question "
                          "after a context",
                          "vt.jsonl:2: outputs: \"2\" does not occur in the context",
                          "vt.jsonl:3: outputs: is missing or empty, must be text",
                          "vt.jsonl:4: outputs: is missing or empty, must be text",
                          "vt.jsonl:6: input: is missing"));
  EXPECT_EQ(imported.report.rows_taken(), 1);
}

TEST(ImportRuler, ASplitIsNamedForItsTask) {
  const ScratchFile row("x.jsonl");
  const std::string folder = row.folder() + "/niah_single_1";
  std::filesystem::create_directories(folder);
  std::ofstream(folder + "/validation.jsonl") << R"({"input": "a 1\nWhat?", "outputs": ["1"]})";
  ImportOptions options;
  options.files = {folder + "/validation.jsonl"};
  options.out = row.folder() + "/out.jsonl";
  ASSERT_TRUE(ImportFiles(options).ok());
  EXPECT_EQ(ReadPassages(options.out).at(0).dataset, "niah_single_1");
}

}  // namespace
}  // namespace kvscope::orchestrator
