#include "services/inference/ops/cpu/attention.h"

#include <omp.h>

#include <algorithm>
#include <cmath>

#include "services/inference/ops/cpu/kernels.h"
#include "services/inference/ops/cpu/rows.h"

namespace kvscope::inference::cpu {
namespace {

// Tokens whose scores a causal block holds at once; the softmax runs on from segment to segment. It
// is the same for every row, so that a row has the same bits whatever stands after it.
constexpr int64_t kSegment = 512;

// Rows of a causal block. Few waste little above the diagonal; many share the keys and values that
// are read for them, which counts where those do not stay in the cache.
int64_t CausalRows(int64_t group, int64_t tokens) {
  return std::max<int64_t>(1, std::clamp<int64_t>(tokens / 64, 32, 128) / group);
}

}  // namespace

float* Scratch::Floats(int64_t count) {
  if (memory_.empty() || memory_.size() < count) {
    memory_ = Tensor();  // freed before its successor is made
    memory_ = AllocateHost(DType::kFloat32, {count + count / 4});
  }
  return memory_.f32();
}

void KeyPanels::Pack(const Tensor& k, int64_t tokens, const std::vector<char>& wanted) {
  const int64_t heads = k.dim(0), capacity = k.dim(1), dim = k.dim(2);
  tiles_ = Tiles(tokens);
  stride_ = dim * kPanel;
  data_ = memory_.Floats(heads * tiles_ * stride_);
#pragma omp parallel for schedule(static) if (Parallel(16 * tokens * dim * heads))
  for (int64_t i = 0; i < heads * tiles_; ++i) {
    const int64_t head = i / tiles_, first = i % tiles_ * kPanel;
    if (!wanted[static_cast<size_t>(head)]) continue;
    const float* keys = k.f32() + (head * capacity + first) * dim;
    TransposePanel([&](int64_t t) { return keys + t * dim; }, std::min(kPanel, tokens - first), dim,
                   data_ + i * stride_);
  }
}

void Attention::Causal(const Tensor& q, const Tensor& k, const Tensor& v, int64_t first,
                       const Tensor& out, const Tensor& weights) {
  const int64_t rows = q.dim(0), kv_heads = k.dim(0);
  panels_.Pack(k, first + rows, std::vector<char>(static_cast<size_t>(kv_heads), 1));
  threads_.resize(static_cast<size_t>(omp_get_max_threads()));
  const int64_t block_rows = CausalRows(q.dim(1) / kv_heads, first + rows);
  const int64_t blocks = (rows + block_rows - 1) / block_rows;
#pragma omp parallel for schedule(dynamic) if (Parallel(2 * q.size() * (first + rows)))
  for (int64_t i = blocks * kv_heads - 1; i >= 0; --i) {  // the last rows see most: they go first
    const int64_t begin = i / kv_heads * block_rows;
    CausalBlock(q, v, first, i % kv_heads, begin, std::min(rows, begin + block_rows), out, weights,
                threads_[static_cast<size_t>(omp_get_thread_num())]);
  }
}

void Attention::CausalBlock(const Tensor& q, const Tensor& v, int64_t first, int64_t kv_head,
                            int64_t begin, int64_t end, const Tensor& out, const Tensor& weights,
                            BlockScratch& scratch) const {
  const int64_t heads = q.dim(1), dim = q.dim(2), group = heads / v.dim(0);
  const int64_t tokens = first + end, queries = (end - begin) * group;
  const int64_t segment = weights.empty() ? kSegment : Tiles(tokens) * kPanel;
  const float scale = 1.0f / std::sqrt(static_cast<float>(dim));
  float* block_q = scratch.queries.Floats(queries * dim);
  float* scores = scratch.scores.Floats(queries * segment);
  float* block_out = scratch.out.Floats(queries * dim);
  for (int64_t i = 0; i < queries; ++i) {
    const int64_t row = begin + i / group, head = kv_head * group + i % group;
    Scale(block_q + i * dim, q.f32() + (row * heads + head) * dim, scale, dim);
  }
  std::fill_n(block_out, queries * dim, 0.0f);
  std::vector<float>&sums = scratch.sums, &maxima = scratch.maxima;
  sums.assign(static_cast<size_t>(queries), 0.0f);
  maxima.assign(static_cast<size_t>(queries), kNever);
  const float* values = v.f32() + kv_head * v.dim(1) * dim;
  for (int64_t from = 0; from < tokens; from += segment) {
    const int64_t count = std::min(segment, tokens - from), tiles = Tiles(count);
    for (int64_t tile = 0; tile < tiles; ++tile) {
      Product(block_q, dim, panels_.panel(kv_head, from / kPanel + tile), kPanel,
              scores + tile * kPanel, segment, queries, kPanel, dim, false);
    }
    for (int64_t i = 0; i < queries; ++i) {
      const int64_t seen = std::min(count, first + begin + i / group + 1 - from);
      float* x = scores + i * segment;
      if (seen > 0) {
        float& max = maxima[static_cast<size_t>(i)];
        float& sum = sums[static_cast<size_t>(i)];
        MaskRest(x, seen);
        const float larger = std::max(max, Max(x, seen));
        if (larger > max && from > 0) {  // what was summed so far was relative to a smaller one
          const float factor = Exp(max - larger);
          sum *= factor;
          Scale(block_out + i * dim, block_out + i * dim, factor, dim);
        }
        max = larger;
        sum += ExpSum(x, seen, max);
      }
      const int64_t masked = WholeVectors(std::max<int64_t>(seen, 0));
      if (masked < count) std::fill(x + masked, x + count, 0.0f);
    }
    for (int64_t tile = 0; tile < tiles; ++tile) {
      Product(scores + tile * kPanel, segment, values + (from + tile * kPanel) * dim, dim,
              block_out, dim, queries, dim, std::min(kPanel, count - tile * kPanel), true);
    }
  }
  for (int64_t i = 0; i < queries; ++i) {
    const int64_t row = begin + i / group, head = kv_head * group + i % group;
    const float factor = 1.0f / sums[static_cast<size_t>(i)];
    Scale(out.f32() + (row * heads + head) * dim, block_out + i * dim, factor, dim);
    if (weights.empty()) continue;
    const int64_t all = first + q.dim(0);
    float* to = weights.f32() + (head * q.dim(0) + row) * all;
    Scale(to, scores + i * segment, factor, tokens);
    std::fill(to + tokens, to + all, 0.0f);
  }
}

}  // namespace kvscope::inference::cpu
