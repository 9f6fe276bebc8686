#include "services/orchestrator/datasets/answer_finder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kvscope::orchestrator {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(AnswerFinder, CaseAndSpacingDoNotCount) {
  const AnswerFinder finder("He met  ANN\n Lee, then ann lee.");
  EXPECT_THAT(finder.Find(" Ann Lee ", 9), ElementsAre(Evidence{8, 16}, Evidence{23, 30}));
  EXPECT_THAT(finder.Find("Ann Lee", 1), ElementsAre(Evidence{8, 16}));
  EXPECT_THAT(finder.Find("Annie", 9), IsEmpty());
  EXPECT_THAT(finder.Find(" ", 9), IsEmpty());
  EXPECT_EQ(finder.length(), 31);
}

TEST(AnswerFinder, CountsCodePoints) {
  const AnswerFinder finder("\xC3\x89t\xC3\xA9 \xE2\x80\x94 in \xF0\x9F\x98\x80 \xC3\x89zy.");
  EXPECT_THAT(finder.Find("\xC3\xA9ZY", 9), ElementsAre(Evidence{11, 14}));
  EXPECT_THAT(finder.Find("\xF0\x9F\x98\x80", 9), ElementsAre(Evidence{9, 10}));
}

TEST(AnswerFinder, PrefersWordsOfTheirOwn) {
  const AnswerFinder finder(
      "Annex, \xE2\x80\x9C"
      "Ann\xE2\x80\x9D, Joann and Ann-Lee 19 1901.");
  EXPECT_THAT(finder.Find("ann", 9), ElementsAre(Evidence{8, 11}, Evidence{24, 27}));
  EXPECT_THAT(finder.Find("19", 9), ElementsAre(Evidence{32, 34}));
  EXPECT_THAT(finder.Find("901", 9), ElementsAre(Evidence{36, 39}));  // nowhere by itself
  EXPECT_THAT(finder.Find("\xC3\xA9", 9), IsEmpty());
  // A script without spaces.
  EXPECT_THAT(AnswerFinder("\xE4\xBD\x8F\xE5\x9C\xA8\xE4\xB8\x9C\xE4\xBA\xAC\xE3\x80\x82")
                  .Find("\xE4\xB8\x9C\xE4\xBA\xAC", 9),
              ElementsAre(Evidence{2, 4}));
}

TEST(AnswerFinder, PunctuationNeedsNoEdge) {
  EXPECT_THAT(AnswerFinder("It cost $5.50now").Find("$5.50", 9), ElementsAre(Evidence{8, 13}));
  EXPECT_THAT(AnswerFinder("x(a)b").Find("(a)", 9), ElementsAre(Evidence{1, 4}));
}

TEST(AnswerFinder, FindsWholeWordsOnly) {
  const AnswerFinder index("Art is no party; in 1912 she had 12 art books.");
  EXPECT_THAT(index.FindWords("art"), ElementsAre(Evidence{0, 3}, Evidence{36, 39}));
  EXPECT_THAT(index.FindWords("12"), ElementsAre(Evidence{33, 35}));
  EXPECT_THAT(index.FindWords("rt is"), IsEmpty());
  EXPECT_THAT(index.FindWords("books."), ElementsAre(Evidence{40, 46}));
  EXPECT_THAT(index.FindWords(""), IsEmpty());
  EXPECT_THAT(index.FindWords(" \n"), IsEmpty());
}

TEST(AnswerFinder, EndsWordsAtCurlyQuotes) {
  const std::string passage = "Żółw’s friend Étienne — “Ötzi” — slept.";
  const AnswerFinder index(passage);
  EXPECT_THAT(index.FindWords("żółw"),
              ElementsAre(Evidence{0, 4}));  // the curly quote ends the word
  EXPECT_THAT(index.FindWords("étienne"), ElementsAre(Evidence{14, 21}));
  EXPECT_THAT(index.FindWords("ötzi"), ElementsAre(Evidence{25, 29}));
  EXPECT_THAT(index.FindWords("tzi"), IsEmpty());
}

}  // namespace
}  // namespace kvscope::orchestrator
