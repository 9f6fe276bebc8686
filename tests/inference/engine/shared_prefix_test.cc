#include "services/inference/engine/shared_prefix.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

namespace kvscope::inference {
namespace {

using ::testing::ElementsAre;

struct Asked {
  size_t set;
  std::vector<int32_t> suffix;
};

SharedPrefixes Find(const std::vector<Asked>& asked) {
  std::vector<Stream> streams;
  for (const Asked& one : asked) streams.push_back({.set = one.set, .suffix = one.suffix});
  return FindSharedPrefixes(streams);
}

TEST(SharedPrefix, IsTheLongestOfAnEarlierStream) {
  const SharedPrefixes shared = Find({{0, {1, 2, 3}}, {0, {1, 9, 9}}, {0, {1, 9, 8}}});
  EXPECT_THAT(shared.own_begin, ElementsAre(0, 1, 2));
}

TEST(SharedPrefix, LeavesTheLastTokenToItsStream) {
  const SharedPrefixes shared = Find({{0, {1, 2}}, {0, {1, 2}}, {0, {1}}});
  EXPECT_THAT(shared.own_begin, ElementsAre(0, 1, 0));
}

TEST(SharedPrefix, IsNotSharedBetweenKeepSets) {
  EXPECT_THAT(Find({{0, {1, 2, 3}}, {1, {1, 2, 3}}}).own_begin, ElementsAre(0, 0));
}

TEST(SharedPrefix, EveryPositionIsComputedOnce) {
  const std::vector<Asked> asked = {{0, {1, 2, 3, 4}}, {0, {1, 2, 9}},       {0, {1, 2, 9, 7, 6}},
                                    {0, {1, 2, 3}},    {0, {1, 2, 9, 7, 5}}, {0, {4}}};
  const SharedPrefixes shared = Find(asked);
  for (size_t s = 0; s < asked.size(); ++s) {
    for (size_t i = 0; i < asked[s].suffix.size(); ++i) {
      int computed = i >= shared.own_begin[s] ? 1 : 0;
      for (size_t other = 0; other < s; ++other) {
        for (const SharedPart& part : shared.followers[other]) {
          if (part.stream != s || i < part.begin || i >= part.end) continue;
          ++computed;
          EXPECT_GE(i, shared.own_begin[other]);
          EXPECT_EQ(asked[other].suffix[i], asked[s].suffix[i]);
        }
      }
      EXPECT_EQ(computed, 1) << "stream " << s << ", position " << i;
    }
  }
}

}  // namespace
}  // namespace kvscope::inference
