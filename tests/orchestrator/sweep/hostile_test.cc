// Foreign bytes never crash or hang the sweep parser.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "services/orchestrator/sweep/sweep.h"

namespace kvscope::orchestrator {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kGood = R"(name: s
model: m
datasets: [{name: knowledge, passages: 4}, {file: "a.jsonl"}]
presses: &p ["random", 'snapkv(window_size=16)']
ratios: [0, 0.5]
capture: {graph: {passages: 5, epsilon: 0.02}, probes: {pool: mean}}
prompt: {instruction: "a\nb"}
)";

std::string Repeat(std::string_view piece, size_t count) {
  std::string text;
  for (size_t i = 0; i < count; ++i) text += piece;
  return text;
}

TEST(HostileSweep, DeepNestingIsAnError) {
  for (const char* piece :
       {"[", "{", "- ", "? ", "{a: ", "[[{", "&a [", "!t [", "a: [", "'", "\""}) {
    const auto start = std::chrono::steady_clock::now();
    EXPECT_FALSE(ParseSweep(Repeat(piece, 100'000), "s.yaml").ok()) << piece;
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20)) << piece;
  }
  std::string steps;
  for (int depth = 0; depth < 1000; ++depth)
    absl::StrAppend(&steps, std::string(depth, ' '), "a:\n");
  EXPECT_FALSE(ParseSweep(steps, "s.yaml").ok());
}

TEST(HostileSweep, AliasBombsAreNotExpanded) {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 40; ++i) {
    absl::StrAppend(&bomb, "a", i, ": &a", i, " [", Repeat(absl::StrCat("*a", i - 1, ", "), 10),
                    "]\n");
  }
  EXPECT_FALSE(ParseSweep(bomb, "s.yaml").ok());
  const std::string in_a_list = absl::StrCat("name: s\nmodel: m\nratios: [0]\ndatasets: []\n",
                                             "presses: &p [*p, *p, [*p, *p]]\n");
  EXPECT_FALSE(ParseSweep(in_a_list, "s.yaml").ok());  // a list that holds itself
}

TEST(HostileSweep, LongListsAndFilesAreRefused) {
  const std::string many = absl::StrCat("name: s\nmodel: m\ndatasets: [{file: f}]\npresses: [a]\n",
                                        "ratios: [", Repeat("0.5, ", 100'000), "0]\n");
  EXPECT_THAT(ParseSweep(many, "s.yaml").status().message(), HasSubstr("100001 elements"));
  EXPECT_THAT(ParseSweep(Repeat("#\n", kMaxSweepBytes), "s.yaml").status().message(),
              HasSubstr("has more than 1048576 bytes"));
}

TEST(HostileSweep, StrayBracketsEnd) {
  for (const char* text : {"]", "}", "a: b\n]", "name: s]\n}", "--- ]\n---\n]"}) {
    EXPECT_FALSE(ParseSweep(text, "s.yaml").ok()) << text;
  }
}

TEST(HostileSweep, BytesThatAreNoUtf8AreNamed) {
  EXPECT_EQ(ParseSweep("name: s\nmodel: \xFF\n", "s.yaml").status().message(),
            "s.yaml:2: byte 15 of the file is not UTF-8");
}

TEST(HostileSweep, EveryPrefixIsAnErrorOrASweep) {
  ASSERT_TRUE(ParseSweep(kGood, "s.yaml").ok()) << ParseSweep(kGood, "s.yaml").status();
  for (size_t size = 0; size < kGood.size(); ++size) {
    const auto sweep = ParseSweep(kGood.substr(0, size), "s.yaml");
    if (!sweep.ok()) {
      EXPECT_THAT(sweep.status().message(), HasSubstr("s.yaml")) << size;
    }
  }
}

TEST(HostileSweep, MutationsAndRandomBytesNeverCrash) {
  std::mt19937 random(1);  // raw draws only: the same on every machine
  constexpr std::string_view kBits = "[]{}:,-?!&*|>'\"%@`#\n \t\\0a~<=.\x01\x7F\xC3\xA9";
  int parsed = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string text(round % 4 == 3 ? std::string_view() : kGood);
    if (text.empty()) text.resize(random() % 60);
    const int edits = 1 + static_cast<int>(random() % 8);
    for (int edit = 0; edit < edits && !text.empty(); ++edit) {
      const size_t at = random() % text.size();
      switch (random() % 3) {
        case 0:
          text[at] = kBits[random() % kBits.size()];
          break;
        case 1:
          text.insert(at, 1, kBits[random() % kBits.size()]);
          break;
        default:
          text.erase(at, 1 + random() % 5);
      }
    }
    const auto sweep = ParseSweep(text, "s.yaml");
    if (!sweep.ok()) continue;
    ++parsed;
    const auto again = ParseSweep(CanonicalSweep(*sweep), "canonical");
    ASSERT_TRUE(again.ok()) << again.status() << "\n" << CanonicalSweep(*sweep);
    EXPECT_EQ(*again, *sweep);
  }
  EXPECT_GT(parsed, 100);  // some mutants are still sweeps, and those round trip
}

}  // namespace
}  // namespace kvscope::orchestrator
