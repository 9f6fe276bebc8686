#include "services/orchestrator/report/html.h"

#include <gtest/gtest.h>

namespace kvscope::orchestrator {
namespace {

TEST(EscapeHtml, EscapesMarkup) {
  EXPECT_EQ(EscapeHtml("<a href=\"x\">'&'</a>"),
            "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;&lt;/a&gt;");
}

TEST(EscapeHtml, KeepsValidUtf8AndReplacesTheRest) {
  EXPECT_EQ(EscapeHtml("né 東京 🙂\t\n"), "né 東京 🙂\t\n");
  EXPECT_EQ(EscapeHtml("\xff"), "\uFFFD");
  EXPECT_EQ(EscapeHtml("a\xe6\x9d"), "a\uFFFD\uFFFD");          // cut short
  EXPECT_EQ(EscapeHtml("\xc0\xaf"), "\uFFFD\uFFFD");            // overlong
  EXPECT_EQ(EscapeHtml("\xed\xa0\x80"), "\uFFFD\uFFFD\uFFFD");  // a surrogate
  EXPECT_EQ(EscapeHtml(std::string("\0\x1b\x7f", 3)), "\uFFFD\uFFFD\uFFFD");
}

TEST(EscapeScriptJson, LeavesNothingThatEndsTheScript) {
  EXPECT_EQ(EscapeScriptJson(R"({"a":"</script><!--&"})"),
            R"({"a":"\u003c/script\u003e\u003c!--\u0026"})");
  EXPECT_EQ(EscapeScriptJson("\"\u2028\u2029\u2027\""), "\"\\u2028\\u2029\u2027\"");
}

}  // namespace
}  // namespace kvscope::orchestrator
