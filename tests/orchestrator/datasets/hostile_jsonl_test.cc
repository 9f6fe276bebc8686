// Foreign bytes never crash the JSONL reader.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "services/orchestrator/datasets/jsonl.h"
#include "services/orchestrator/datasets/passage_json.h"
#include "tests/orchestrator/datasets/scratch_file.h"

namespace kvscope::orchestrator {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kGood =
    R"({"dataset":"d","passage_id":"p","context":"Ann é lives.","questions":[{"question_id":"q",)"
    R"("question":"Who?","answer":"Ann","aliases":["Anna"],"direction":"reverse",)"
    R"("answer_type":"Person","question_type":"Standard","hop":2,"evidence":[[0,3],[4,12]]}]})";

absl::StatusOr<Passage> Parse(std::string_view line) { return ParsePassage(line, {"f:1", "f", 0}); }

TEST(HostileJsonl, DeepNestingIsAnError) {
  for (const char* bracket : {"[", "{\"a\":"}) {
    std::string deep = R"({"context": "a", "x": )";
    for (int i = 0; i < 1'000'000; ++i) deep += bracket;
    EXPECT_THAT(Parse(deep).status().message(), HasSubstr("brackets nest more than 16 deep"));
  }
  EXPECT_TRUE(Parse(R"({"context": "[[[[[[[[[[[[[[[[[[[[[ \" [[[", "questions":
                        [{"question": "{{{{{{{{{{{{{{{{{{{", "answer": "a"}]})")
                  .ok());  // brackets within text are text
}

TEST(HostileJsonl, BytesThatAreNoUtf8AreNamed) {
  EXPECT_EQ(Parse("{\"context\": \"\xC3(\"}").status().message(),
            "f:1: byte 14 of the line is not UTF-8");
  EXPECT_THAT(Parse(R"({"context": "\ud800"})").status().message(), HasSubstr("not valid JSON"));
}

TEST(HostileJsonl, LinesAreBounded) {
  const ScratchFile file(
      "data.jsonl", absl::StrCat(std::string(kGood), "\n", std::string(kMaxLineBytes + 1, ' ')));
  auto reader = PassageReader::Open(file.path());
  ASSERT_TRUE(reader.ok());
  ASSERT_TRUE(reader->Next().ok());
  EXPECT_EQ(
      reader->Next().status().message(),
      absl::StrCat(file.path(), ":2: is longer than 16777216 bytes, the longest line allowed"));
}

TEST(HostileJsonl, HugeListsAreRefused) {
  std::string aliases = R"("a")";
  for (int i = 0; i < 1'000; ++i) aliases += R"(,"a")";
  const std::string line = absl::StrCat(
      R"({"context":"a","questions":[{"question":"q","answer":"a","aliases":[)", aliases, "]}]}");
  EXPECT_THAT(Parse(line).status().message(), HasSubstr("aliases: has 1001 elements"));
}

TEST(HostileJsonl, EveryPrefixIsAnError) {
  ASSERT_TRUE(Parse(kGood).ok()) << Parse(kGood).status();
  for (size_t size = 0; size < kGood.size(); ++size) {
    EXPECT_FALSE(Parse(kGood.substr(0, size)).ok()) << size;
  }
}

TEST(HostileJsonl, MutationsNeverCrashAndRoundTrip) {
  std::mt19937 random(1);  // raw draws only: the same on every machine
  constexpr std::string_view kBits =
      "[]{}:,\"\\0123456789-+.eEnulltruefalse \n\t\x01\x7F\xC3\xA9\xFF";
  int parsed = 0;
  for (int round = 0; round < 50'000; ++round) {
    std::string line(kGood);
    const int edits = 1 + static_cast<int>(random() % 4);
    for (int edit = 0; edit < edits && !line.empty(); ++edit) {
      const size_t at = random() % line.size();
      switch (random() % 3) {
        case 0:
          line[at] = kBits[random() % kBits.size()];
          break;
        case 1:
          line.insert(at, 1, kBits[random() % kBits.size()]);
          break;
        default:
          line.erase(at, 1 + random() % 5);
      }
    }
    const auto passage = Parse(line);
    if (!passage.ok()) {
      ASSERT_THAT(passage.status().message(), HasSubstr("f:1: "));
      continue;
    }
    ++parsed;
    const auto again = Parse(FormatPassage(*passage));
    ASSERT_TRUE(again.ok()) << again.status() << "\n" << line;
    ASSERT_EQ(*again, *passage);
  }
  EXPECT_GT(parsed, 1'000);
}

}  // namespace
}  // namespace kvscope::orchestrator
