// RateLimiter: a token bucket for each caller.
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "absl/time/time.h"

namespace kvscope::rpc {

class RateLimiter {
 public:
  // Each caller may make `per_second` >= 1 calls a second, and as many at once after a pause.
  explicit RateLimiter(int per_second) : per_second_(per_second) {}

  // Takes one call of `caller` at `now`: zero if it may go on, else how long it should wait (and
  // nothing is taken). At most 10000 callers are remembered; one more, and all are forgotten, which
  // gives each a full bucket.
  absl::Duration Take(const std::string& caller, absl::Time now);

 private:
  struct Bucket {
    double calls = 0;  // that may be made at `at`
    absl::Time at;
  };

  const double per_second_;
  std::mutex mutex_;
  std::map<std::string, Bucket> buckets_;
};

}  // namespace kvscope::rpc
