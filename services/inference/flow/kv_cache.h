// KvCache: the keys (after RoPE) and values of all layers, in the memory of one backend.
#pragma once

#include <cstdint>
#include <vector>

#include "services/inference/ops/ops.h"

namespace kvscope::inference {

class KvCache {
 public:
  KvCache() = default;
  // The context that all streams of a passage share: [kv_heads, capacity, head_dim] a layer.
  static KvCache Context(Ops& ops, int layers, int kv_heads, int64_t capacity, int head_dim);
  // A suffix (question and answer so far) a slot: [slots, kv_heads, capacity, head_dim] a layer.
  static KvCache Suffixes(Ops& ops, int layers, int64_t slots, int kv_heads, int64_t capacity,
                          int head_dim);

  int layers() const { return static_cast<int>(keys_.size()); }
  int64_t slots() const { return slots_; }
  int64_t capacity() const { return capacity_; }
  const Tensor& keys(int layer) const { return keys_[static_cast<size_t>(layer)]; }
  const Tensor& values(int layer) const { return values_[static_cast<size_t>(layer)]; }
  size_t size_bytes() const;

  // Positions in use of a context cache: set by prefill. Suffix lengths are the streams' own.
  int64_t tokens = 0;

 private:
  KvCache(Ops& ops, int layers, int64_t slots, int64_t capacity, std::vector<int64_t> shape);

  int64_t slots_ = 0, capacity_ = 0;
  std::vector<Tensor> keys_, values_;
};

// Bytes of one KV pair over all layers and heads, in float32.
inline int64_t KvBytesPerToken(int layers, int kv_heads, int head_dim) {
  return int64_t{2} * static_cast<int64_t>(sizeof(float)) * layers * kv_heads * head_dim;
}

}  // namespace kvscope::inference
