#include "services/inference/flow/kv_cache.h"

#include <utility>

namespace kvscope::inference {

KvCache::KvCache(Ops& ops, int layers, int64_t slots, int64_t capacity, std::vector<int64_t> shape)
    : slots_(slots), capacity_(capacity) {
  for (int layer = 0; layer < layers; ++layer) {
    keys_.push_back(ops.Allocate(DType::kFloat32, shape));
    values_.push_back(ops.Allocate(DType::kFloat32, shape));
  }
}

KvCache KvCache::Context(Ops& ops, int layers, int kv_heads, int64_t capacity, int head_dim) {
  return KvCache(ops, layers, 1, capacity, {kv_heads, capacity, head_dim});
}

KvCache KvCache::Suffixes(Ops& ops, int layers, int64_t slots, int kv_heads, int64_t capacity,
                          int head_dim) {
  return KvCache(ops, layers, slots, capacity, {slots, kv_heads, capacity, head_dim});
}

size_t KvCache::size_bytes() const {
  size_t bytes = 0;
  for (const Tensor& keys : keys_) bytes += 2 * keys.size_bytes();
  return bytes;
}

}  // namespace kvscope::inference
