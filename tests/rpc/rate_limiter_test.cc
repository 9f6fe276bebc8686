#include "services/rpc/rate_limiter.h"

#include <gtest/gtest.h>

#include <string>

namespace kvscope::rpc {
namespace {

const absl::Time kStart = absl::FromUnixSeconds(1000);

TEST(RateLimiter, AllowsABurstAndThenItsRate) {
  RateLimiter limiter(4);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(limiter.Take("a", kStart), absl::ZeroDuration()) << i;
  EXPECT_EQ(limiter.Take("a", kStart), absl::Milliseconds(250));
  EXPECT_EQ(limiter.Take("a", kStart), absl::Milliseconds(250));  // a refusal takes nothing
  EXPECT_EQ(limiter.Take("a", kStart + absl::Milliseconds(250)), absl::ZeroDuration());
  EXPECT_EQ(limiter.Take("a", kStart + absl::Milliseconds(300)), absl::Milliseconds(200));
}

TEST(RateLimiter, CountsEachCallerForItself) {
  RateLimiter limiter(1);
  EXPECT_EQ(limiter.Take("a", kStart), absl::ZeroDuration());
  EXPECT_GT(limiter.Take("a", kStart), absl::ZeroDuration());
  EXPECT_EQ(limiter.Take("b", kStart), absl::ZeroDuration());
}

TEST(RateLimiter, AClockThatJumpsBackGivesNothingAway) {
  RateLimiter limiter(2);
  limiter.Take("a", kStart);
  limiter.Take("a", kStart);
  EXPECT_GT(limiter.Take("a", kStart - absl::Hours(1)), absl::ZeroDuration());
  EXPECT_LE(limiter.Take("a", kStart - absl::Hours(1)), absl::Seconds(1));  // nor locks it out
}

TEST(RateLimiter, ManyCallersDoNotGrowItForEver) {
  RateLimiter limiter(1);
  limiter.Take("first", kStart);
  for (int i = 0; i < 9999; ++i) limiter.Take(std::to_string(i), kStart);
  EXPECT_GT(limiter.Take("first", kStart), absl::ZeroDuration());  // still known
  limiter.Take("one more", kStart);
  EXPECT_EQ(limiter.Take("first", kStart), absl::ZeroDuration());  // forgotten
  EXPECT_GT(limiter.Take("one more", kStart), absl::ZeroDuration());
}

}  // namespace
}  // namespace kvscope::rpc
