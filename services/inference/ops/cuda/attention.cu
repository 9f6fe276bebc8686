// Prefill: attention of rows to themselves and what stands before them, [rows, q_heads, head_dim]
// over [kv_heads, capacity, head_dim]. The query heads of a KV head share its tiles.
#include <cmath>

#include "services/inference/ops/cuda/attention_tile.cuh"
#include "services/inference/ops/cuda/kernels.h"
#include "services/inference/ops/cuda/launch.h"

namespace kvscope::inference::cuda {
namespace {

constexpr int kWeightsThreads = 256;

struct CausalTokens {
  static constexpr bool kWatches = false;
  const float *keys, *values;
  int dim;
  int position[kQueriesPerThread];  // of this thread's queries; each sees itself and those before

  __device__ const float* Key(int t) const { return keys + static_cast<int64_t>(t) * dim; }
  __device__ const float* Value(int t) const { return values + static_cast<int64_t>(t) * dim; }
  __device__ uint64_t Visible(int i, int first) const { return FirstBits(position[i] + 1 - first); }
};

template <class Shape>
__global__ void __launch_bounds__(Shape::kThreads, Shape::kBlocks)
    CausalKernel(const float* q, KvView kv, Heads heads, int first, int rows, float* out) {
  KVSCOPE_DYNAMIC_SHARED(memory);
  const int kv_head = blockIdx.y, group = heads.group(), dim = heads.dim;
  const int begin = (gridDim.x - 1 - blockIdx.x) * Shape::kQueries;  // who sees most goes first
  const int end = min(begin + Shape::kQueries, rows * group);
  const auto element = [&](int query) {  // where its numbers begin in q and out
    const int64_t row = query / group, head = kv_head * group + query % group;
    return (row * heads.q_heads + head) * dim;
  };
  AttentionTile<Shape> tile(memory, dim, [&](int slot) {
    return begin + slot < end ? q + element(begin + slot) : nullptr;
  });
  const int64_t cache = kv_head * kv.capacity * dim;
  CausalTokens tokens = {kv.k + cache, kv.v + cache, dim, {}};
#pragma unroll
  for (int i = 0; i < kQueriesPerThread; ++i) {
    tokens.position[i] = first + (begin + tile.FirstSlot() + i) / group;
  }
  tile.Attend(tokens, first + (end - 1) / group + 1);
#pragma unroll
  for (int i = 0; i < kQueriesPerThread; ++i) {
    const int query = begin + tile.FirstSlot() + i;
    if (query >= end) continue;
    float* to = out + element(query);
#pragma unroll
    for (int j = 0; j < Shape::kDimsPerThread; ++j) {
      if (tile.Dim(j) < dim) to[tile.Dim(j)] = tile.out[i][j] / tile.sum[i];
    }
  }
}

// A block a row, a thread a token: slow, and only for inspection.
__global__ void __launch_bounds__(kWeightsThreads)
    CausalWeightsKernel(const float* q, const float* keys, int dim, int64_t q_stride, int first,
                        int width, float* weights) {
  constexpr int kWarps = kWeightsThreads / kWarp;
  KVSCOPE_SHARED(float, maxima, [kWarps]);
  KVSCOPE_SHARED(float, sums, [kWarps]);
  const float* query = q + blockIdx.x * q_stride;
  float* row = weights + static_cast<int64_t>(blockIdx.x) * width;
  const int seen = first + static_cast<int>(blockIdx.x) + 1;
  const float scale = 1.0f / sqrtf(static_cast<float>(dim));
  float max = -INFINITY;
  for (int t = threadIdx.x; t < seen; t += kWeightsThreads) {
    const float* key = keys + static_cast<int64_t>(t) * dim;
    float score = 0;
    for (int d = 0; d < dim; ++d) score += query[d] * key[d];
    row[t] = score * scale;
    max = fmaxf(max, row[t]);
  }
  max = BlockMax<kWarps>(max, maxima);
  float sum = 0;
  for (int t = threadIdx.x; t < seen; t += kWeightsThreads) {
    row[t] = expf(row[t] - max);
    sum += row[t];
  }
  sum = BlockSum<kWarps>(sum, sums);
  for (int t = threadIdx.x; t < width; t += kWeightsThreads) {
    row[t] = t < seen ? row[t] / sum : 0.0f;
  }
}

}  // namespace

void CausalAttention(const float* q, const KvView& kv, const Heads& heads, int64_t first,
                     int64_t rows, float* out, cudaStream_t stream) {
  if (rows == 0) return;
  ForHeadDim(heads.dim, [&]<int kDim>() {
    using Shape = LargeTile<kDim>;
    const dim3 grid(Blocks(rows * heads.group(), Shape::kQueries), heads.kv_heads);
    Launch(CausalKernel<Shape>, grid, Shape::kThreads, Shape::kSharedBytes, stream, q, kv, heads,
           first, rows, out);
  });
}

void CausalWeights(const float* q, const KvView& kv, const Heads& heads, int head, int64_t first,
                   int64_t rows, float* weights, cudaStream_t stream) {
  if (rows == 0) return;
  const float* keys = kv.k + head / heads.group() * kv.capacity * heads.dim;
  const int64_t q_stride = int64_t{heads.q_heads} * heads.dim;
  Launch(CausalWeightsKernel, static_cast<unsigned>(rows), kWeightsThreads, 0, stream,
         q + int64_t{head} * heads.dim, keys, heads.dim, q_stride, first, first + rows, weights);
}

}  // namespace kvscope::inference::cuda
