#include "services/orchestrator/sweep/utf8.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kvscope::orchestrator {
namespace {

using ::testing::Eq;
using ::testing::Optional;

TEST(InvalidUtf8At, AcceptsTheEdgesOfEveryLength) {
  for (const char* text :
       {"", "\x7F", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80",
        "\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_EQ(InvalidUtf8At(text), std::nullopt) << Quoted(text);
  }
  EXPECT_EQ(InvalidUtf8At(std::string("\0", 1)), std::nullopt);
}

TEST(InvalidUtf8At, RefusesWhatIsJustBeyond) {
  for (const char* bad :
       {"\x80", "\xBF", "\xC0\xAF", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xED\xBF\xBF",
        "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "\xC2", "\xC2\x41",
        "\xE2\x82", "\xE2\x82\x41", "\xF0\x9F\x98"}) {
    EXPECT_THAT(InvalidUtf8At(std::string("ok\xC3\xA9") + bad), Optional(Eq(4u))) << Quoted(bad);
  }
}

TEST(HasLetterOrDigit, LooksForWhatAWordIsMadeOf) {
  for (const char* text : {"a", "?? 7 ??", "\u7121", "\xFFz", "\u00BD"}) {
    EXPECT_TRUE(HasLetterOrDigit(text)) << Quoted(text);
  }
  for (const char* text : {"", " \t", "...", "-", "\u2014", "\u02BC", "\u0301", "\xC3\xFF"}) {
    EXPECT_FALSE(HasLetterOrDigit(text)) << Quoted(text);
  }
}

TEST(CodePoints, AreCountedAndCut) {
  const std::string text = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80z";  // a é € (emoji) z
  EXPECT_EQ(CountCodePoints(text), 5u);
  EXPECT_EQ(CodePointSlice(text, 1, 3), "\xC3\xA9\xE2\x82\xAC");
  EXPECT_EQ(CodePointSlice(text, 3, 4), "\xF0\x9F\x98\x80");
  EXPECT_EQ(CodePointSlice(text, 0, 5), text);
  EXPECT_EQ(CodePointSlice(text, 4, 99), "z");
  EXPECT_EQ(CodePointSlice(text, 5, 6), "");
  EXPECT_EQ(CodePointSlice(text, 3, 2), "");
}

TEST(Quoted, IsPrintableAndShort) {
  EXPECT_EQ(Quoted("a\n\xFF"), "\"a\\x0a\\xff\"");
  EXPECT_EQ(Quoted("abcdef", 3), "\"abc\"...");
}

}  // namespace
}  // namespace kvscope::orchestrator
