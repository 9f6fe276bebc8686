#include "services/orchestrator/datasets/llm/mentions.h"

#include <gmock/gmock.h>

#include "services/orchestrator/sweep/utf8.h"

namespace kvscope::orchestrator::llm {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(MentionIndex, FindsWholeWordsOnly) {
  const MentionIndex index("Art is no party; in 1912 she had 12 art books.");
  EXPECT_THAT(index.Find("art"), ElementsAre(Evidence{0, 3}, Evidence{36, 39}));
  EXPECT_THAT(index.Find("12"), ElementsAre(Evidence{33, 35}));
  EXPECT_THAT(index.Find("rt is"), IsEmpty());
  EXPECT_THAT(index.Find("books."), ElementsAre(Evidence{40, 46}));
  EXPECT_THAT(index.Find(""), IsEmpty());
  EXPECT_THAT(index.Find(" \n"), IsEmpty());
}

TEST(MentionIndex, LooksThroughCaseAndSpacing) {
  const std::string passage = "  At  dawn,\nANNA   berg\tleft.";
  const MentionIndex index(passage);
  const auto found = index.Find("anna Berg");
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(CodePointSlice(passage, static_cast<size_t>(found[0].start),
                           static_cast<size_t>(found[0].end)),
            "ANNA   berg");
}

TEST(MentionIndex, CountsCodePoints) {
  const std::string passage = "Żółw’s friend Étienne — “Ötzi” — slept.";
  const MentionIndex index(passage);
  EXPECT_EQ(index.length(), 39);
  EXPECT_THAT(index.Find("żółw"), ElementsAre(Evidence{0, 4}));  // the curly quote ends the word
  EXPECT_THAT(index.Find("étienne"), ElementsAre(Evidence{14, 21}));
  EXPECT_THAT(index.Find("ötzi"), ElementsAre(Evidence{25, 29}));
  EXPECT_THAT(index.Find("tzi"), IsEmpty());
}

}  // namespace
}  // namespace kvscope::orchestrator::llm
