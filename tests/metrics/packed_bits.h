// Packs keep sets as KeepBits wants them, one bit at a time.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace kvscope::metrics {

// `kept`: [rows, tokens], 0 or 1.
inline std::vector<uint8_t> PackBits(std::span<const uint8_t> kept, int tokens) {
  const size_t rows = kept.size() / tokens;
  const size_t row_bytes = (tokens + 7) / 8;
  std::vector<uint8_t> bytes(rows * row_bytes);
  for (size_t row = 0; row < rows; ++row) {
    for (int t = 0; t < tokens; ++t) {
      if (kept[row * tokens + t]) bytes[row * row_bytes + t / 8] |= 1 << (t % 8);
    }
  }
  return bytes;
}

// One string of '1' and '0' a row.
inline std::vector<uint8_t> PackRows(const std::vector<std::string_view>& rows) {
  std::vector<uint8_t> kept;
  for (const std::string_view row : rows) {
    for (const char c : row) kept.push_back(c == '1');
  }
  return PackBits(kept, static_cast<int>(rows.front().size()));
}

}  // namespace kvscope::metrics
