#include "services/orchestrator/datasets/random.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "services/orchestrator/datasets/sha256.h"

namespace kvscope::orchestrator {
namespace {

using ::testing::ElementsAre;

TEST(Random, IsSplitMix64) {  // the reference implementation's first draws of seed 1234567
  Random random(1234567);
  const std::array<uint64_t, 5> draws = {random.Next(), random.Next(), random.Next(), random.Next(),
                                         random.Next()};
  EXPECT_THAT(draws, ElementsAre(6457827717110365317u, 3203168211198807973u, 9817491932198370423u,
                                 4593380528125082431u, 16408922859458223821u));
}

TEST(Random, BelowIsEvenAndInRange) {
  Random random(7);
  std::vector<int> counts(6);
  for (int i = 0; i < 60'000; ++i) ++counts.at(random.Below(6));
  for (const int count : counts) EXPECT_NEAR(count, 10'000, 400);  // about 4 standard deviations
  EXPECT_EQ(random.Below(1), 0u);
}

TEST(Random, BelowRejectsTheUnevenRest) {
  // Of 2^64 values 2^62 are left over at this bound: without rejection the lowest third comes up
  // half the time.
  const uint64_t bound = 3u * (uint64_t{1} << 62);
  Random random(1);
  int low = 0;
  for (int i = 0; i < 3'000; ++i) low += random.Below(bound) < bound / 3;
  EXPECT_NEAR(low, 1'000, 110);
}

TEST(Random, BetweenReachesBothEnds) {
  Random random(3);
  bool low = false;
  bool high = false;
  for (int i = 0; i < 200; ++i) {
    const int64_t draw = random.Between(-1, 2);
    ASSERT_GE(draw, -1);
    ASSERT_LE(draw, 2);
    low |= draw == -1;
    high |= draw == 2;
  }
  EXPECT_TRUE(low && high);
}

TEST(Random, KeyedStreamsDiffer) {
  const uint64_t draw = Random::Keyed(1, "a", 0).Next();
  EXPECT_EQ(draw, Random::Keyed(1, "a", 0).Next());
  EXPECT_NE(draw, Random::Keyed(2, "a", 0).Next());
  EXPECT_NE(draw, Random::Keyed(1, "b", 0).Next());
  EXPECT_NE(draw, Random::Keyed(1, "a", 1).Next());
}

TEST(Sha256, MatchesTheStandardsExamples) {  // FIPS 180-2, appendix B
  EXPECT_EQ(Sha256Hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  Sha256 hash;
  hash.Update("a");
  EXPECT_NE(hash.HexDigest(), Sha256Hex("abc"));  // looking does not end the stream
  hash.Update("bc");
  EXPECT_EQ(hash.HexDigest(), Sha256Hex("abc"));
}

}  // namespace
}  // namespace kvscope::orchestrator
