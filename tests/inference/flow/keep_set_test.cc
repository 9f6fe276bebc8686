#include "services/inference/flow/keep_set.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

namespace kvscope::inference {
namespace {

TEST(KeepSet, StartsEmpty) {
  const KeepSet set(2, 3, 65);
  EXPECT_EQ(set.words(), 2);
  EXPECT_EQ(set.kept_count(), 0);
  EXPECT_EQ(set.empty_heads(), 6);
}

TEST(KeepSet, KeepsOneBitOfOneRow) {
  KeepSet set(2, 2, 130);
  set.Keep(1, 0, 64);
  set.Keep(1, 0, 129);
  set.Keep(1, 0, 64);
  EXPECT_TRUE(set.kept(1, 0, 64));
  EXPECT_FALSE(set.kept(1, 0, 63));
  EXPECT_FALSE(set.kept(0, 0, 64));
  EXPECT_FALSE(set.kept(1, 1, 64));
  EXPECT_EQ(set.kept_count(1, 0), 2);
  EXPECT_EQ(set.kept_count(), 2);
  EXPECT_EQ(set.empty_heads(), 3);
  EXPECT_EQ(set.row(1, 0)[1], 1u);
  EXPECT_EQ(set.row(1, 0)[2], 2u);
  EXPECT_EQ(set.layer(1).size(), 6u);
  EXPECT_EQ(set.layer(1)[2], 2u);
}

TEST(KeepSet, EverythingLeavesThePaddingClear) {
  for (const int tokens : {1, 7, 63, 64, 65, 128, 200}) {
    const KeepSet everything = KeepSet::Everything(2, 3, tokens);
    EXPECT_EQ(everything.kept_count(), 6 * tokens) << tokens;
    EXPECT_EQ(everything.empty_heads(), 0) << tokens;
    KeepSet one_by_one(2, 3, tokens);
    for (int layer = 0; layer < 2; ++layer) {
      for (int head = 0; head < 3; ++head) {
        for (int token = 0; token < tokens; ++token) one_by_one.Keep(layer, head, token);
      }
    }
    EXPECT_EQ(everything, one_by_one) << tokens;
  }
}

TEST(KeepSet, EqualityIsThatOfTheSets) {
  KeepSet a(1, 1, 70), b(1, 1, 70);
  a.Keep(0, 0, 69);
  EXPECT_NE(a, b);
  b.Keep(0, 0, 69);
  EXPECT_EQ(a, b);
  EXPECT_NE(KeepSet(1, 1, 70), KeepSet(1, 1, 71));
}

TEST(KeepSet, PacksRowsIntoWholeBytes) {
  KeepSet set(1, 2, 11);
  set.Keep(0, 0, 0);
  set.Keep(0, 0, 9);
  set.Keep(0, 1, 7);
  EXPECT_EQ(set.PackedBytes(), std::string("\x01\x02\x80\x00", 4));
}

TEST(KeepSet, HoldsNoTokensAtAll) {
  const KeepSet set = KeepSet::Everything(1, 1, 0);
  EXPECT_EQ(set.kept_count(), 0);
  EXPECT_EQ(set.PackedBytes(), "");
}

}  // namespace
}  // namespace kvscope::inference
