#include "services/rpc/rate_limiter.h"

#include <algorithm>

namespace kvscope::rpc {
namespace {

constexpr size_t kMaxCallers = 10000;

}  // namespace

absl::Duration RateLimiter::Take(const std::string& caller, absl::Time now) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (buckets_.size() >= kMaxCallers && !buckets_.contains(caller)) buckets_.clear();
  const auto [found, added] = buckets_.try_emplace(caller, Bucket{per_second_, now});
  Bucket& bucket = found->second;
  const double elapsed = std::max(0.0, absl::ToDoubleSeconds(now - bucket.at));
  bucket.calls = std::min(per_second_, bucket.calls + elapsed * per_second_);
  bucket.at = now;
  if (bucket.calls < 1) return absl::Seconds((1 - bucket.calls) / per_second_);
  bucket.calls -= 1;
  return absl::ZeroDuration();
}

}  // namespace kvscope::rpc
