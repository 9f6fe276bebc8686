// Keep sets as they travel: one bit for every (layer, KV head, context token).
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "absl/status/statusor.h"

namespace kvscope::metrics {

// A read-only view of bytes [layers, kv_heads, row_bytes]: each (layer, head) row is padded to
// whole bytes (row_bytes = ceil(tokens / 8)), bit t of a row is bit t % 8 of its byte t / 8, 1 =
// kept, padding bits are 0.  Does not own the bytes: they must outlive the view.
class KeepBits {
 public:
  // Errors: InvalidArgument if a dimension is below 1, the length is not
  // layers * kv_heads * row_bytes, or a padding bit is set.
  static absl::StatusOr<KeepBits> Make(int layers, int kv_heads, int tokens,
                                       std::span<const uint8_t> bytes);

  int layers() const { return layers_; }
  int kv_heads() const { return kv_heads_; }
  int tokens() const { return tokens_; }
  int64_t pairs() const { return int64_t{layers_} * kv_heads_ * tokens_; }
  size_t row_bytes() const { return (static_cast<size_t>(tokens_) + 7) / 8; }
  size_t row_words() const { return (static_cast<size_t>(tokens_) + 63) / 64; }

  std::span<const uint8_t> row(int layer, int head) const {
    return bytes_.subspan((static_cast<size_t>(layer) * kv_heads_ + head) * row_bytes(),
                          row_bytes());
  }
  bool kept(int layer, int head, int token) const {
    return (row(layer, head)[token / 8] >> (token % 8)) & 1;
  }

  // Tokens [64 * index, 64 * index + 64) of a row, token t at bit t % 64; 0 beyond the last token.
  static uint64_t Word(std::span<const uint8_t> row, size_t index) {
    static_assert(std::endian::native == std::endian::little, "bit t is bit t % 64 of a word");
    uint64_t word = 0;
    const size_t left = row.size() - 8 * index;
    std::memcpy(&word, row.data() + 8 * index, left < 8 ? left : 8);
    return word;
  }

 private:
  KeepBits(int layers, int kv_heads, int tokens, std::span<const uint8_t> bytes)
      : layers_(layers), kv_heads_(kv_heads), tokens_(tokens), bytes_(bytes) {}

  int layers_;
  int kv_heads_;
  int tokens_;
  std::span<const uint8_t> bytes_;
};

}  // namespace kvscope::metrics
