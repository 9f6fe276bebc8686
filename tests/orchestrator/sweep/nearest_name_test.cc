#include "services/orchestrator/sweep/nearest_name.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kvscope::orchestrator {
namespace {

using ::testing::Eq;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Optional;

constexpr std::string_view kNames[] = {"snapkv", "knorm", "expected_attention", "random"};

TEST(EditDistance, CountsTheFourEdits) {
  EXPECT_EQ(EditDistance("", ""), 0);
  EXPECT_EQ(EditDistance("", "abc"), 3);
  EXPECT_EQ(EditDistance("abc", ""), 3);
  EXPECT_EQ(EditDistance("kitten", "sitting"), 3);
  EXPECT_EQ(EditDistance("abcd", "acbd"), 1);  // a swap is one edit, not two
}

TEST(EditDistance, MayEditWhatItSwapped) {
  EXPECT_EQ(EditDistance("ca", "abc"), 2);  // the restricted distance would be 3
  EXPECT_EQ(EditDistance("a cat", "an abct"), 3);
}

TEST(EditDistance, TakesAnyBytes) { EXPECT_EQ(EditDistance("\xFF\x80", "\x80\xFF"), 1); }

TEST(NearestName, FindsTheTypo) {
  EXPECT_THAT(NearestName("snapvk", kNames), Optional(Eq("snapkv")));
  EXPECT_THAT(NearestName("SnapKV", kNames), Optional(Eq("snapkv")));
  EXPECT_THAT(NearestName("expectd_atention", kNames), Optional(Eq("expected_attention")));
}

TEST(NearestName, IsSilentWhenNothingIsNear) {
  EXPECT_EQ(NearestName("window", kNames), std::nullopt);
  EXPECT_EQ(NearestName("", kNames), std::nullopt);
  EXPECT_EQ(NearestName("zz", std::vector<std::string_view>{"ab"}), std::nullopt);
  EXPECT_EQ(NearestName(std::string(1'000'000, 'k'), kNames), std::nullopt);
}

TEST(NearestName, TiesGoToTheEarlier) {
  EXPECT_THAT(NearestName("abx", std::vector<std::string_view>{"abc", "abd"}), Optional(Eq("abc")));
}

TEST(KnownNames, ListsAll) {
  EXPECT_EQ(KnownNames("rndom", kNames),
            "; did you mean \"random\"? (known: snapkv, knorm, expected_attention, random)");
  EXPECT_THAT(KnownNames("window", kNames), Not(HasSubstr("did you mean")));
}

}  // namespace
}  // namespace kvscope::orchestrator
