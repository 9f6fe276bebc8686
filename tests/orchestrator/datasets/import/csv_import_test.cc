#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "services/orchestrator/datasets/import/csv_records.h"
#include "services/orchestrator/datasets/line_reader.h"
#include "tests/orchestrator/datasets/import/imported.h"

namespace kvscope::orchestrator {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// `LINE: CELL|CELL`, or `LINE! PROBLEM`.
std::vector<std::string> RecordsOf(std::string_view content) {
  const ScratchFile file("f.csv", content);
  auto records = CsvRecords::Open(file.path());
  EXPECT_TRUE(records.ok()) << records.status();
  std::vector<std::string> told;
  while (true) {
    const auto record = records->Next();
    EXPECT_TRUE(record.ok()) << record.status();
    if (!record.ok() || !record->has_value()) return told;
    std::string text = absl::StrCat((*record)->line);
    if ((*record)->problem) {
      absl::StrAppend(&text, "! ", (*record)->problem->what);
    } else {
      for (const std::string& cell : (*record)->cells) {
        absl::StrAppend(&text, text.find(':') == std::string::npos ? ": " : "|", cell);
      }
    }
    told.push_back(text);
  }
}

TEST(CsvRecords, ReadsWhatRfc4180Allows) {
  EXPECT_THAT(RecordsOf("a,b\r\n\"1,\"\"x\"\"\r\n2\", c \r\n,\"\"\r\nlast,z"),
              ElementsAre("1: a|b", "2: 1,\"x\"\r\n2| c ", "5: last|z"));
  EXPECT_THAT(RecordsOf("a\nb\n\n\nc\n"), ElementsAre("1: a", "2: b", "5: c"));
  EXPECT_THAT(RecordsOf("a,b\rc,d\r\re,f"), ElementsAre("1: a|b", "2: c|d", "4: e|f"));
  EXPECT_THAT(RecordsOf("\xEF\xBB\xBF\"a\",b\n"), ElementsAre("1: a|b"));
  EXPECT_THAT(RecordsOf("a,\n,b\n"), ElementsAre("1: a|", "2: |b"));
  EXPECT_THAT(RecordsOf(std::string_view("a\0b,c\n", 6)), ElementsAre(std::string("1: a\0b|c", 8)));
  EXPECT_THAT(RecordsOf(""), IsEmpty());
  EXPECT_THAT(RecordsOf("\"a\""), ElementsAre("1: a"));
}

TEST(CsvRecords, GoesOnBehindAQuoteInTheWrongPlace) {
  const std::string misplaced = "a quote is where none may be, on line ";
  EXPECT_THAT(RecordsOf("a,b\"c,d\ne,f\n"),
              ElementsAre(HasSubstr("1! " + misplaced + "1"), "2: e|f"));
  EXPECT_THAT(RecordsOf("\"a\"b,c\ne,f"), ElementsAre(HasSubstr("1! " + misplaced), "2: e|f"));
  EXPECT_THAT(RecordsOf("x,y\n\"a\n\nb\",\"c\nd\"e\nf,g"),
              ElementsAre("1: x|y", HasSubstr("2! " + misplaced + "5"), "6: f|g"));
  EXPECT_THAT(RecordsOf("a,b\nc,\"d\ne,f\n"),
              ElementsAre("1: a|b", "2! a quoted cell is not closed before the file ends"));
}

TEST(CsvRecords, CellsMayBeLongButNotEndless) {
  const std::string cell(3'000'000, 'x');
  EXPECT_THAT(RecordsOf(absl::StrCat("a,\"", cell, "\"\n")),
              ElementsAre(absl::StrCat("1: a|", cell)));
  const std::string endless(kMaxLineBytes, 'x');
  EXPECT_THAT(RecordsOf(absl::StrCat("a,", endless, "\nb,c\n")),
              ElementsAre(HasSubstr("1! the record is longer than 16777216 bytes"), "2: b|c"));
}

TEST(ImportCsv, ReadsColumnsByName) {
  const auto imported = ImportFrom(
      "mine.csv",
      " Question ,CONTEXT,note,answer,aliases,id,hop,answer_type,answer_start\r\n"
      "Who?,\"Ann, \xC3\xA9lan\r\nand \"\"Bob\"\"\",x,ann,Anna | Annie|,q1,2,Person,\r\n"
      "Who else?,\"Ann, \xC3\xA9lan\r\nand \"\"Bob\"\"\",x,Bob,,q2,,,16\r\n"
      "Why?,\"Ann, \xC3\xA9lan\r\nand \"\"Bob\"\"\",x,I dont know,,q3,,,\r\n,,,,,,,,\r\n");
  ASSERT_TRUE(imported.report.written) << imported.status;
  EXPECT_EQ(imported.report.rows_read(), 3);
  ASSERT_THAT(imported.passages, SizeIs(1));
  const Passage& passage = imported.passages[0];
  EXPECT_EQ(passage.context, "Ann, \xC3\xA9lan\r\nand \"Bob\"");
  ASSERT_THAT(passage.questions, SizeIs(3));
  const Question first{"q1", "Who?", "ann", {"Anna", "Annie"}, "", "Person", "", 2, {{0, 3}}, {}};
  EXPECT_EQ(passage.questions[0], first);
  EXPECT_THAT(passage.questions[1].evidence, ElementsAre(Evidence{16, 19}));
}

TEST(ImportCsv, ColumnsCanBeMapped) {
  ImportOptions options;
  options.columns = {{"context", "Text"}, {"question", "Frage"}, {"answer", "Antwort"}};
  const std::string text = "Frage,Antwort,Text\nWer?,Ann,Ann.\nWo?,,Ann.\n";
  EXPECT_TRUE(ImportFrom("m.csv", "Frage,Antwort,Text\nWer?,Ann,Ann.\n", options).report.written);
  EXPECT_THAT(ImportFrom("m.csv", text, options).report.problems,
              ElementsAre("m.csv:3: Antwort: is missing or empty, must be text"));
  options.columns["contxt"] = "x";
  EXPECT_THAT(ImportFrom("m.csv", text, options).status.message(),
              HasSubstr("columns: \"contxt\" is no column; did you mean \"context\"?"));
  EXPECT_EQ(ImportFrom("m.csv", text).status.message(),
            "m.csv:1: the header has no column \"context\"; it has \"Frage\", \"Antwort\", "
            "\"Text\"; say with --columns context=NAME which one is meant");
  EXPECT_THAT(ImportFrom("m.csv", "context,Context,question,answer\n").status.message(),
              HasSubstr("m.csv:1: the header has the column \"context\" twice"));
}

TEST(ImportCsv, NamesPlaceAndReason) {
  const auto imported = ImportGood("m.csv",
                                   "context,question,answer,hop\n"
                                   "Ann.,Who?,Ann,\n"
                                   "Ann.,Who?,Ann\n"
                                   "Ann.,Who?,,\n"
                                   "\"Ann\n.\",Who?,Bob,\n"
                                   "Ann.,Wh\"o?,Ann,\n"
                                   "Ann.,Who\xFF?,Ann,\n"
                                   "Ann.,Who?,Ann,many\n"
                                   "\"Ann.,Who?,Ann,");
  EXPECT_THAT(
      imported.report.problems,
      ElementsAre("m.csv:3: has 3 cells, must have 4 as the header",
                  "m.csv:4: answer: is missing or empty, must be text",
                  "m.csv:5: answer: \"Bob\" does not occur in the context",
                  "m.csv:7: a quote is where none may be, on line 7; a cell with quotes must stand "
                  "in quotes, its own doubled",
                  "m.csv:8: question: byte 4 of the cell is not UTF-8",
                  "m.csv:9: hop: is \"many\", must be a whole number from 0 to 100",
                  "m.csv:10: a quoted cell is not closed before the file ends"));
  EXPECT_EQ(imported.report.rows_taken(), 1);
  EXPECT_EQ(imported.report.left_out.at(Reason::kMalformed), 3);
}

TEST(ImportCsv, IsToldByItsHeader) {
  EXPECT_TRUE(ImportFrom("m.txt", "context,question,answer\nAnn.,Who?,Ann\n").report.written);
}

}  // namespace
}  // namespace kvscope::orchestrator
