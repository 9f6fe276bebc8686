// Random draws that are the same on every machine.  Source: Steele et al. 2014 (SplitMix64).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace kvscope::orchestrator {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  // The stream of element `index` of the thing named `salt`: streams of other elements, names and
  // seeds have nothing to do with it, so a longer set begins with the shorter one.
  static Random Keyed(uint64_t seed, std::string_view salt, uint64_t index);

  uint64_t Next();
  // Evenly from [0, bound), by rejection.  A bound of 0 is a bug (CHECK).
  uint64_t Below(uint64_t bound);
  // Evenly from [low, high].
  int64_t Between(int64_t low, int64_t high);
  bool OneIn(uint64_t n) { return Below(n) == 0; }

  // One of a non-empty list.
  std::string_view Pick(std::span<const std::string_view> from) { return from[Below(from.size())]; }

 private:
  uint64_t state_;
};

}  // namespace kvscope::orchestrator
