// Sets of token positions as bits, one for every level of a token-attention graph.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace kvscope::metrics {

// Position p is bit p % 32 of word p / 32.
using PositionWord = uint32_t;
inline constexpr int kWordPositions = 32;

inline size_t WordsFor(int positions) {
  return (static_cast<size_t>(positions) + kWordPositions - 1) / kWordPositions;
}

inline PositionWord BitOf(int position) { return PositionWord{1} << (position % kWordPositions); }

inline bool Contains(std::span<const PositionWord> set, int position) {
  return (set[position / kWordPositions] & BitOf(position)) != 0;
}

inline void Insert(std::span<PositionWord> set, int position) {
  set[position / kWordPositions] |= BitOf(position);
}

inline bool Intersect(std::span<const PositionWord> a, std::span<const PositionWord> b) {
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i] & b[i]) return true;
  }
  return false;
}

// Calls `take(position)` for each bit of a set's word, ascending.
template <typename Take>
void ForEach(size_t index, PositionWord word, const Take& take) {
  for (; word != 0; word &= word - 1) {
    take(static_cast<int>(index) * kWordPositions + std::countr_zero(word));
  }
}

// Elements below `end`.
inline int CountBelow(std::span<const PositionWord> set, int end) {
  int count = 0;
  const int whole = end / kWordPositions;
  for (int i = 0; i < whole; ++i) count += std::popcount(set[i]);
  if (end % kWordPositions != 0) count += std::popcount(set[whole] & (BitOf(end) - 1));
  return count;
}

// One set a level: bits [levels, words].
class LevelSets {
 public:
  LevelSets(int levels, int positions)
      : words_(WordsFor(positions)), bits_(static_cast<size_t>(levels) * words_) {}

  size_t words() const { return words_; }
  std::span<PositionWord> level(int level) {
    return {bits_.data() + static_cast<size_t>(level) * words_, words_};
  }
  std::span<const PositionWord> level(int level) const {
    return {bits_.data() + static_cast<size_t>(level) * words_, words_};
  }

 private:
  size_t words_;
  std::vector<PositionWord> bits_;
};

}  // namespace kvscope::metrics
