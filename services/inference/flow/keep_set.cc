#include "services/inference/flow/keep_set.h"

#include <bit>
#include <cassert>

namespace kvscope::inference {
namespace {

int64_t CountBits(std::span<const uint64_t> words) {
  int64_t count = 0;
  for (const uint64_t word : words) count += std::popcount(word);
  return count;
}

}  // namespace

KeepSet::KeepSet(int layers, int kv_heads, int tokens)
    : layers_(layers), kv_heads_(kv_heads), tokens_(tokens), words_((tokens + 63) / 64) {
  assert(layers >= 0 && kv_heads >= 0 && tokens >= 0);
  bits_.resize(static_cast<size_t>(layers) * kv_heads * words_);
}

KeepSet KeepSet::Everything(int layers, int kv_heads, int tokens) {
  KeepSet set(layers, kv_heads, tokens);
  set.bits_.assign(set.bits_.size(), ~uint64_t{0});
  if (tokens % 64 == 0) return set;
  const uint64_t last_word = (uint64_t{1} << (tokens % 64)) - 1;  // padding bits are 0
  for (size_t end = set.words_; end <= set.bits_.size(); end += set.words_) {
    set.bits_[end - 1] = last_word;
  }
  return set;
}

size_t KeepSet::offset(int layer, int head) const {
  assert(0 <= layer && layer < layers_ && 0 <= head && head < kv_heads_);
  return (static_cast<size_t>(layer) * kv_heads_ + head) * words_;
}

bool KeepSet::kept(int layer, int head, int token) const {
  assert(0 <= token && token < tokens_);
  return bits_[offset(layer, head) + token / 64] >> (token % 64) & 1;
}

void KeepSet::Keep(int layer, int head, int token) {
  assert(0 <= token && token < tokens_);
  bits_[offset(layer, head) + token / 64] |= uint64_t{1} << (token % 64);
}

std::span<const uint64_t> KeepSet::row(int layer, int head) const {
  return std::span(bits_).subspan(offset(layer, head), words_);
}

std::span<uint64_t> KeepSet::row(int layer, int head) {
  return std::span(bits_).subspan(offset(layer, head), words_);
}

std::span<const uint64_t> KeepSet::layer(int layer) const {
  return std::span(bits_).subspan(offset(layer, 0), static_cast<size_t>(kv_heads_) * words_);
}

int64_t KeepSet::kept_count(int layer, int head) const { return CountBits(row(layer, head)); }

int64_t KeepSet::kept_count() const { return CountBits(bits_); }

int64_t KeepSet::empty_heads() const {
  int64_t empty = 0;
  for (int layer = 0; layer < layers_; ++layer) {
    for (int head = 0; head < kv_heads_; ++head) empty += kept_count(layer, head) == 0;
  }
  return empty;
}

std::string KeepSet::PackedBytes() const {
  const int row_bytes = (tokens_ + 7) / 8;
  std::string bytes;
  bytes.reserve(static_cast<size_t>(layers_) * kv_heads_ * row_bytes);
  for (int layer = 0; layer < layers_; ++layer) {
    for (int head = 0; head < kv_heads_; ++head) {
      const std::span<const uint64_t> words = row(layer, head);
      for (int byte = 0; byte < row_bytes; ++byte) {
        bytes.push_back(static_cast<char>(words[byte / 8] >> (8 * (byte % 8))));
      }
    }
  }
  return bytes;
}

}  // namespace kvscope::inference
