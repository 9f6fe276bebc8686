#include "services/orchestrator/datasets/line_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "services/orchestrator/datasets/grounding.h"
#include "tests/orchestrator/datasets/scratch_file.h"

namespace kvscope::orchestrator {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> LinesOf(std::string_view content) {
  const ScratchFile file("lines.txt", content);
  auto reader = LineReader::Open(file.path());
  EXPECT_TRUE(reader.ok()) << reader.status();
  std::vector<std::string> lines;
  while (true) {
    const auto line = reader->Next();
    EXPECT_TRUE(line.ok()) << line.status();
    if (!line.ok() || !line->has_value()) return lines;
    EXPECT_EQ((*line)->number, static_cast<int64_t>(lines.size()) + 1);
    EXPECT_TRUE((*line)->whole);
    lines.emplace_back((*line)->text);
  }
}

TEST(LineReader, SplitsAtNewlinesAlone) {
  EXPECT_THAT(LinesOf("a\r\n\n b"), ElementsAre("a\r", "", " b"));
  EXPECT_THAT(LinesOf("a\n"), ElementsAre("a"));
  EXPECT_THAT(LinesOf("\n"), ElementsAre(""));
  EXPECT_THAT(LinesOf(""), IsEmpty());
  EXPECT_THAT(LinesOf("\xEF\xBB\xBF"
                      "a\n\xEF\xBB\xBF"),
              ElementsAre("a", "\xEF\xBB\xBF"));
  EXPECT_THAT(LinesOf(std::string_view("a\0b\n", 4)), ElementsAre(std::string("a\0b", 3)));
}

TEST(LineReader, LinesMayStandAcrossReads) {
  const std::string long_line(200'000, 'x');
  EXPECT_THAT(LinesOf(long_line + "\n" + long_line), ElementsAre(long_line, long_line));
}

TEST(LineReader, GoesOnBehindALineThatIsTooLong) {
  const std::string most(kMaxLineBytes, 'x');
  for (const std::string& rest : {std::string("y"), std::string(300'000, 'y')}) {
    const ScratchFile file("lines.txt", most + "\n" + most + rest + "\nlast");
    auto reader = LineReader::Open(file.path());
    ASSERT_TRUE(reader.ok());
    EXPECT_TRUE((*reader->Next())->whole);
    const Line cut = **reader->Next();
    EXPECT_FALSE(cut.whole);
    EXPECT_TRUE(cut.text == most);
    const Line last = **reader->Next();
    EXPECT_EQ(last.text, "last");
    EXPECT_EQ(last.number, 3);
    EXPECT_FALSE(reader->Next()->has_value());
  }
  const ScratchFile file("lines.txt", most + "y");
  auto reader = LineReader::Open(file.path());
  EXPECT_FALSE((*reader->Next())->whole);
  EXPECT_FALSE(reader->Next()->has_value());
}

TEST(LineReader, SaysWhatCannotBeOpened) {
  EXPECT_EQ(LineReader::Open("no/such.txt").status().message(),
            "no/such.txt: no data set can be read there");
  EXPECT_EQ(LineReader::Open(testing::TempDir()).status().code(), absl::StatusCode::kNotFound);
}

TEST(NormalizeText, SaysWhereEachByteComesFrom) {
  std::vector<uint32_t> sources;
  EXPECT_EQ(NormalizeText(" \xC3\x89"
                          "a \n B ",
                          &sources),
            "\xC3\xA9"
            "a b");
  EXPECT_THAT(sources, ElementsAre(1, 1, 2, 5, 6));
  EXPECT_EQ(NormalizeText(" \t ", &sources), "");
  EXPECT_THAT(sources, IsEmpty());
}

}  // namespace
}  // namespace kvscope::orchestrator
