// Random draws that are the same on every machine.  Source: Steele et al. 2014 (SplitMix64); Lemire
// 2019, arXiv:1805.10941 (even draws below a bound).
#pragma once

#include <cstdint>

namespace kvscope::metrics {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t Next() {
    state_ += 0x9E3779B97F4A7C15u;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }

  // Evenly from [0, bound); `bound` is positive.
  uint32_t Below(uint32_t bound) {
    uint64_t product = (Next() >> 32) * bound;
    if (static_cast<uint32_t>(product) < bound) {
      const uint32_t uneven = (0 - bound) % bound;  // 2^32 mod bound: so many draws are too often
      while (static_cast<uint32_t>(product) < uneven) product = (Next() >> 32) * bound;
    }
    return static_cast<uint32_t>(product >> 32);
  }

 private:
  uint64_t state_;
};

}  // namespace kvscope::metrics
