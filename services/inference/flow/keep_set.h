// KeepSet: which KV pairs survive, one bit each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace kvscope::inference {

// Bits [layers, kv_heads, tokens]; each (layer, head) row is padded to whole 64-bit words, bit t %
// 64 of word t / 64 is token t, 1 = kept; padding bits are 0. Equality is equality of the sets.
class KeepSet {
 public:
  KeepSet() = default;
  KeepSet(int layers, int kv_heads, int tokens);  // nothing kept
  static KeepSet Everything(int layers, int kv_heads, int tokens);

  int layers() const { return layers_; }
  int kv_heads() const { return kv_heads_; }
  int tokens() const { return tokens_; }
  int words() const { return words_; }  // of one row

  bool kept(int layer, int head, int token) const;
  void Keep(int layer, int head, int token);
  std::span<const uint64_t> row(int layer, int head) const;
  std::span<uint64_t> row(int layer, int head);
  std::span<const uint64_t> layer(int layer) const;  // [kv_heads, words]

  int64_t kept_count(int layer, int head) const;
  int64_t kept_count() const;  // over all layers and heads
  bool keeps_everything() const { return kept_count() == int64_t{layers_} * kv_heads_ * tokens_; }
  int64_t empty_heads() const;  // (layer, head) rows that keep nothing

  // The wire form of a survival record: [layers, kv_heads, ceil(tokens / 8)] bytes, bit t % 8 of
  // byte t / 8.
  std::string PackedBytes() const;

  friend bool operator==(const KeepSet&, const KeepSet&) = default;

 private:
  size_t offset(int layer, int head) const;  // of a row, in words

  int layers_ = 0, kv_heads_ = 0, tokens_ = 0, words_ = 0;
  std::vector<uint64_t> bits_;
};

}  // namespace kvscope::inference
