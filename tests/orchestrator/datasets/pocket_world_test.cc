#include "services/orchestrator/datasets/pocket_world.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "absl/strings/str_split.h"

namespace kvscope::orchestrator {
namespace {

TEST(PocketWorld, Crc32IsZlibs) {
  EXPECT_EQ(Crc32(""), 0u);
  EXPECT_EQ(Crc32("123456789"), 0xCBF43926u);  // the check value of the catalogues
}

TEST(PocketWorld, KnowsTheHeldOutPairs) {
  // Names of the pocket models' held-out samples ...
  EXPECT_TRUE(IsHeldOut("Fal", "wyn"));
  EXPECT_TRUE(IsHeldOut("Bel", "mont"));
  EXPECT_TRUE(IsHeldOut("Lor", "gate"));
  // ... and what CRC-32 says of others.
  EXPECT_EQ(Crc32("Bren-dale") % 8, 0u);
  EXPECT_NE(Crc32("Al-an") % 8, 0u);
  EXPECT_FALSE(IsHeldOut("Al", "an"));
}

TEST(PocketWorld, NothingComesTwice) {
  Random random(5);
  PocketWorld world(random, Names::kHeldOut);
  std::set<std::string> seen;
  for (int i = 0; i < 12; ++i) {
    const std::vector<std::string> names = absl::StrSplit(world.Person(), ' ');
    ASSERT_EQ(names.size(), 2u);
    EXPECT_TRUE(seen.insert(names[0]).second) << names[0];
    EXPECT_TRUE(seen.insert(names[1]).second) << names[1];
    EXPECT_TRUE(seen.insert(world.Place()).second);
    EXPECT_TRUE(seen.insert(world.Job()).second);
    EXPECT_TRUE(seen.insert(world.Date()).second);
    EXPECT_TRUE(seen.insert(world.University()).second);
    EXPECT_TRUE(seen.insert(world.Organization()).second);
    EXPECT_TRUE(seen.insert(world.Event()).second);
    EXPECT_TRUE(seen.insert(world.Creature()).second);
    EXPECT_TRUE(seen.insert(world.Thing()).second);
    EXPECT_TRUE(seen.insert(world.Number()).second);
    EXPECT_TRUE(seen.insert(world.Time()).second);
    EXPECT_TRUE(seen.insert(world.Remark()).second);
  }
}

TEST(PocketWorld, ArticlesFollowTheFirstLetter) {
  EXPECT_STREQ(ArticleOf("engineer"), "an ");
  EXPECT_STREQ(ArticleOf("baker"), "a ");
}

}  // namespace
}  // namespace kvscope::orchestrator
