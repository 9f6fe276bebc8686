#include "services/orchestrator/datasets/jsonl.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "services/orchestrator/datasets/passage_json.h"
#include "tests/orchestrator/datasets/scratch_file.h"

namespace kvscope::orchestrator {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;

constexpr char kFull[] =
    R"({"dataset":"d","passage_id":"p","context":"Ann é lives.","questions":[{"question_id":"q",)"
    R"("question":"Who?","answer":"Ann","aliases":["Anna"],"direction":"reverse",)"
    R"("answer_type":"Person","question_type":"Standard","hop":2,"evidence":[[0,3],[4,12]],)"
    R"("support":[[4,5]]}]})";
constexpr char kLeast[] =
    R"({"context": "Ann.", "questions": [{"question": "Who?", "answer": "Ann"}]})";

absl::StatusOr<std::vector<Passage>> ReadAll(const std::string& path) {
  absl::StatusOr<PassageReader> reader = PassageReader::Open(path);
  if (!reader.ok()) return reader.status();
  std::vector<Passage> passages;
  while (true) {
    absl::StatusOr<std::optional<Passage>> next = reader->Next();
    if (!next.ok()) return next.status();
    if (!next->has_value()) return passages;
    passages.push_back(**next);
  }
}

std::string ErrorOf(const std::string& line) {
  const auto passage = ParsePassage(line, {"f.jsonl:7", "f", 0});
  return passage.ok() ? "no error" : std::string(passage.status().message());
}

std::string ErrorWith(const std::string& from, const std::string& to) {
  const std::string line = absl::StrReplaceAll(kFull, {{from, to}});
  EXPECT_NE(line, kFull) << "nothing was replaced";
  return ErrorOf(line);
}

TEST(ParsePassage, ReadsEveryField) {
  const auto passage = ParsePassage(kFull, {"f.jsonl:1", "f", 0});
  ASSERT_TRUE(passage.ok()) << passage.status();
  const Question question{"q",      "Who?",     "Ann", {"Anna"},          "reverse",
                          "Person", "Standard", 2,     {{0, 3}, {4, 12}}, {{4, 5}}};
  EXPECT_EQ(*passage, (Passage{"d", "p", "Ann \xC3\xA9 lives.", {question}}));
  EXPECT_EQ(FormatPassage(*passage), kFull);  // kFull is the canonical line
}

TEST(ParsePassage, MissingFieldsGetFixedValues) {
  const auto passage = ParsePassage(kLeast, {"f.jsonl:1", "mine", 12});
  ASSERT_TRUE(passage.ok()) << passage.status();
  EXPECT_EQ(passage->dataset, "mine");
  EXPECT_EQ(passage->passage_id, "mine-012");
  EXPECT_EQ(passage->questions[0].question_id, "mine-012-00");
  EXPECT_EQ(passage->questions[0].direction, "");
  EXPECT_EQ(passage->questions[0].hop, 0);
  const auto nulls =
      ParsePassage(R"({"dataset": null, "context": "Ann.", "title": [1], "questions": )"
                   R"([{"question": "Who?", "answer": "Ann", "hop": null, "evidence": null}]})",
                   {"f.jsonl:1", "mine", 12});
  ASSERT_TRUE(nulls.ok()) << nulls.status();  // null is missing, and strangers are passed over
  EXPECT_EQ(*nulls, *passage);
}

TEST(ParsePassage, NamesPlaceAndField) {
  EXPECT_EQ(ErrorWith("\"Ann\",", "5,"), "f.jsonl:7: questions[0].answer: is 5, must be text");
  EXPECT_EQ(ErrorWith("\"answer\":\"Ann\",", ""), "f.jsonl:7: questions[0].answer: is missing");
  EXPECT_EQ(ErrorWith("\"Who?\"", "\"  \""),
            "f.jsonl:7: questions[0].question: is blank, must be text");
  EXPECT_EQ(ErrorWith("\"reverse\"", "\"back\""),
            "f.jsonl:7: questions[0].direction: is \"back\", must be forward or reverse");
  EXPECT_THAT(ErrorWith("\"hop\":2", "\"hop\":-1"), HasSubstr("hop: is -1, must be a whole"));
  EXPECT_THAT(ErrorWith("\"hop\":2", "\"hop\":1.5"), HasSubstr("hop: is 1.5"));
  EXPECT_THAT(ErrorWith("[\"Anna\"]", "\"Anna\""),
              HasSubstr("aliases: is \"Anna\", must be a list"));
  EXPECT_THAT(ErrorWith("[\"Anna\"]", "[1]"), HasSubstr("aliases[0]: is 1"));
  EXPECT_THAT(ErrorWith("Ann \xC3\xA9 lives.", "a\\u0000b"), HasSubstr("context: contains a NUL"));
  EXPECT_THAT(ErrorWith("\"q\"", "\"\""), HasSubstr("question_id: is \"\""));
  EXPECT_THAT(ErrorWith("\"p\"", "\"a\\nb\""), HasSubstr("passage_id"));
  EXPECT_THAT(ErrorOf("[]"), EndsWith("is an array, must be an object"));
  EXPECT_THAT(ErrorOf(R"({"context": "a", "questions": []})"),
              HasSubstr("questions: has no element"));
  EXPECT_THAT(ErrorOf(R"({"context": "a"})"), HasSubstr("questions: has no element"));
  EXPECT_THAT(ErrorOf(R"({"context": "a", "questions": [3]})"), HasSubstr("questions[0]: is 3"));
}

TEST(ParsePassage, EvidenceLiesInTheContext) {
  EXPECT_EQ(ErrorWith("[4,12]", "[4,13]"),
            "f.jsonl:7: questions[0].evidence[1]: is [4,13], must be [start, end] with "
            "0 <= start < end <= 12, the context's length in characters");  // not its 13 bytes
  for (const char* span : {"[4,4]", "[5,4]", "[-1,4]", "[4]", "[1,2,3]", "4", "[1,2.5]",
                           "[\"1\",2]", "[0,18446744073709551615]", "[0,1e3]", "{}"}) {
    EXPECT_THAT(ErrorWith("[4,12]", span), HasSubstr("evidence[1]: is ")) << span;
  }
}

TEST(ParsePassage, RefusesTyposAndRepeatedKeys) {
  EXPECT_THAT(ErrorWith("\"aliases\"", "\"alises\""),
              HasSubstr("questions[0]: unknown key \"alises\"; did you mean \"aliases\"?"));
  EXPECT_THAT(ErrorWith("\"questions\"", "\"question\""), HasSubstr("did you mean \"questions\"?"));
  EXPECT_EQ(ErrorWith("\"hop\":2", "\"hop\":2,\"hop\":3"), "f.jsonl:7: key \"hop\" is given twice");
}

TEST(PassageReader, NamesTheBrokenLine) {
  const ScratchFile file("data.jsonl", absl::StrCat(kFull, "\n\n  \r\n{\"context\": \"a\", \n"));
  EXPECT_EQ(ReadAll(file.path()).status().message(),
            absl::StrCat(file.path(), ":4: is not valid JSON at byte 18 of the line"));
}

TEST(PassageReader, TakesMarksBlankLinesAndCarriageReturns) {
  const ScratchFile file("data.jsonl", absl::StrCat("\xEF\xBB\xBF", kFull, "\r\n\n\t\n", kLeast));
  const auto passages = ReadAll(file.path());
  ASSERT_TRUE(passages.ok()) << passages.status();
  ASSERT_EQ(passages->size(), 2u);
  EXPECT_EQ((*passages)[1].passage_id, "data-001");  // named after the file, counted by passage
}

TEST(PassageReader, RefusesIdsUsedTwice) {
  const ScratchFile passages("data.jsonl", absl::StrCat(kFull, "\n", kLeast, "\n", kFull, "\n"));
  EXPECT_EQ(ReadAll(passages.path()).status().message(),
            absl::StrCat(passages.path(), ":3: passage_id: \"p\" was already used in ",
                         passages.path(), ":1, but an id must be unique"));
  const ScratchFile questions(
      "other.jsonl",
      absl::StrCat(kFull, "\n", absl::StrReplaceAll(kFull, {{"\"p\"", "\"p2\""}}), "\n"));
  EXPECT_THAT(ReadAll(questions.path()).status().message(),
              HasSubstr(":2: questions[0].question_id: \"q\" was already used in"));
}

TEST(PassageReader, APassageAndAQuestionMayShareAnId) {
  const ScratchFile file("data.jsonl", absl::StrReplaceAll(kFull, {{"\"q\"", "\"p\""}}));
  EXPECT_TRUE(ReadAll(file.path()).ok());
}

TEST(PassageReader, RefusesMissingAndEmptyFiles) {
  const ScratchFile file("data.jsonl", "\n \n");
  EXPECT_THAT(ReadAll(file.path()).status().message(),
              HasSubstr("holds no passage, must hold at least one"));
  EXPECT_EQ(ReadAll(file.path() + ".no").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ReadAll(file.folder()).status().code(), absl::StatusCode::kNotFound);
}

TEST(PassageReader, ReadsLinesAcrossChunks) {
  std::string text;
  for (int i = 0; i < 400; ++i) {  // 64 KiB chunks end in the middle of lines of every length
    absl::StrAppend(&text, R"({"context": ")", std::string(i * 7, 'x'),
                    R"(y", "questions": [{"question": "Who?", "answer": "y"}]})", "\n");
  }
  const ScratchFile file("data.jsonl", text);
  const auto passages = ReadAll(file.path());
  ASSERT_TRUE(passages.ok()) << passages.status();
  ASSERT_EQ(passages->size(), 400u);
  for (int i = 0; i < 400; ++i) EXPECT_EQ((*passages)[i].context.size(), i * 7u + 1) << i;
}

TEST(PassageWriter, RoundTripsAndReplacesWholeFilesOnly) {
  const ScratchFile file("out.jsonl", "old");
  Passage passage = *ParsePassage(kFull, {"", "", 0});
  passage.context = "tabs\t, \"quotes\", \\ and \xF0\x9F\x98\x80 \x7F\n";
  passage.questions[0].evidence = {{0, 4}};
  Passage second = *ParsePassage(kLeast, {"", "x", 3});
  {
    auto writer = PassageWriter::Create(file.path());
    ASSERT_TRUE(writer.ok());
    ASSERT_TRUE(writer->Write(second).ok());
  }  // not closed: the old file stands and no other is left
  EXPECT_EQ(ScratchFile::Read(file.path()), "old");
  EXPECT_FALSE(std::filesystem::exists(file.path() + ".partial"));
  auto writer = PassageWriter::Create(file.path());
  ASSERT_TRUE(writer.ok());
  ASSERT_TRUE(writer->Write(passage).ok());
  ASSERT_TRUE(writer->Write(second).ok());
  ASSERT_TRUE(writer->Close().ok());
  const auto passages = ReadAll(file.path());
  ASSERT_TRUE(passages.ok()) << passages.status();
  EXPECT_THAT(*passages, testing::ElementsAre(passage, second));
  EXPECT_FALSE(PassageWriter::Create(file.folder() + "/none/out.jsonl").ok());
}

}  // namespace
}  // namespace kvscope::orchestrator
