#include "services/inference/engine/shared_prefix.h"

#include <algorithm>
#include <cstdint>
#include <map>

namespace kvscope::inference {
namespace {

size_t CommonLength(std::span<const int32_t> a, std::span<const int32_t> b) {
  return static_cast<size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first -
                             a.begin());
}

}  // namespace

SharedPrefixes FindSharedPrefixes(std::span<const Stream> streams) {
  SharedPrefixes shared{std::vector<size_t>(streams.size(), 0),
                        std::vector<std::vector<SharedPart>>(streams.size())};
  std::vector<size_t> leader(streams.size(), 0);
  std::map<size_t, std::vector<size_t>> of_set;
  for (size_t s = 0; s < streams.size(); ++s) {
    const std::span<const int32_t> prefix = streams[s].suffix.first(streams[s].suffix.size() - 1);
    std::vector<size_t>& earlier = of_set[streams[s].set];
    for (const size_t other : earlier) {
      const size_t common = CommonLength(prefix, streams[other].suffix);
      if (common <= shared.own_begin[s]) continue;
      shared.own_begin[s] = common;
      leader[s] = other;
    }
    earlier.push_back(s);
    // What the leader takes from its own leader comes from there.
    size_t end = shared.own_begin[s];
    for (size_t from = leader[s]; end > 0; from = leader[from]) {
      const size_t begin = shared.own_begin[from];
      if (begin < end) shared.followers[from].push_back({s, begin, end});
      end = std::min(end, begin);
    }
  }
  return shared;
}

}  // namespace kvscope::inference
