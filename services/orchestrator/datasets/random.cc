#include "services/orchestrator/datasets/random.h"

#include <cstdlib>

namespace kvscope::orchestrator {

uint64_t Random::Next() {
  state_ += 0x9E3779B97F4A7C15u;
  uint64_t z = state_;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

Random Random::Keyed(uint64_t seed, std::string_view salt, uint64_t index) {
  uint64_t hash = 0xCBF29CE484222325u;  // FNV-1a
  for (const char c : salt) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3u;
  const uint64_t named = Random(seed).Next() ^ hash;
  return Random(Random(Random(named).Next() ^ index).Next());
}

uint64_t Random::Below(uint64_t bound) {
  if (bound == 0) std::abort();
  const uint64_t uneven = (0 - bound) % bound;  // 2^64 mod bound: so many draws are one too often
  uint64_t draw = Next();
  while (draw < uneven) draw = Next();
  return draw % bound;
}

int64_t Random::Between(int64_t low, int64_t high) {
  return low + static_cast<int64_t>(Below(static_cast<uint64_t>(high - low) + 1));
}

}  // namespace kvscope::orchestrator
