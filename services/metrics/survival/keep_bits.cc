#include "services/metrics/survival/keep_bits.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace kvscope::metrics {

absl::StatusOr<KeepBits> KeepBits::Make(int layers, int kv_heads, int tokens,
                                        std::span<const uint8_t> bytes) {
  if (layers < 1 || kv_heads < 1 || tokens < 1) {
    return absl::InvalidArgumentError(absl::StrCat("keep bits: the shape [layers ", layers,
                                                   ", kv_heads ", kv_heads, ", tokens ", tokens,
                                                   "] must have at least 1 in each dimension"));
  }
  const KeepBits bits(layers, kv_heads, tokens, bytes);
  const size_t row_bytes = bits.row_bytes();
  // Compared by division, so that a shape from outside cannot overflow.
  const size_t rows = bytes.size() / row_bytes;
  if (bytes.size() % row_bytes != 0 || rows % layers != 0 ||
      rows / layers != static_cast<size_t>(kv_heads)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "keep bits: ", bytes.size(), " bytes were found, but ", layers, " layers x ", kv_heads,
        " KV heads of ", tokens, " tokens take ", row_bytes, " bytes a row"));
  }
  if (tokens % 8 != 0) {
    const uint8_t padding = static_cast<uint8_t>(0xff << (tokens % 8));
    for (size_t last = row_bytes - 1; last < bytes.size(); last += row_bytes) {
      if (bytes[last] & padding) {
        return absl::InvalidArgumentError(absl::StrCat(
            "keep bits: row ", last / row_bytes, " has bits set beyond its ", tokens, " tokens"));
      }
    }
  }
  return bits;
}

}  // namespace kvscope::metrics
