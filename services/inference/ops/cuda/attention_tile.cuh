// The heart of every attention here: a block's queries against one tile of tokens after another,
// with a softmax that runs on from tile to tile.
//
// Queries, one tile of keys or values, and its weights lie in shared memory. 16 threads share four
// queries: each holds the scores of every 16th token of the tile and every 16th number of the
// output. What a query gets depends on its own tokens and their tiles alone, never on the other
// queries of its block.  Source: Dao 2023, arXiv:2307.08691 (the order of the loops).
#pragma once

#include <cmath>
#include <cstdint>

#include "services/inference/ops/cuda/kernels.h"
#include "services/inference/ops/cuda/reduce.cuh"

namespace kvscope::inference::cuda {

constexpr int kColumns = 16;          // threads that share queries
constexpr int kQueriesPerThread = 4;  // which these are

// Sizes of a tile: heads of at most kDim numbers, kQueries queries, kKeys tokens.
template <int kHeadDim, int kQueryCount, int kKeyCount>
struct TileShape {
  static constexpr int kDim = kHeadDim, kQueries = kQueryCount, kKeys = kKeyCount;
  static constexpr int kThreads = kQueries / kQueriesPerThread * kColumns;
  static constexpr int kWarps = kThreads / kWarp;
  // Strides in shared memory, in floats: four more than needed keep columns off each other's banks.
  static constexpr int kRow = kDim + 4, kWeightsRow = kKeys + 4;
  static constexpr size_t kSharedFloats = (kQueries + kKeys) * kRow + kQueries * kWeightsRow;
  static constexpr size_t kSharedBytes = kSharedFloats * sizeof(float);
  // Blocks that a multiprocessor of sm_86 has the shared memory for, beside what lists need. With
  // it as launch bound ptxas does not spill to make room for more.
  static constexpr int kBlocks = (100 << 10) / (kSharedBytes + (3 << 10));
  static constexpr int kKeysPerThread = kKeys / kColumns, kDimsPerThread = kDim / kColumns;
  static_assert(kKeys <= 64, "a tile's tokens are the bits of a word");
  static_assert(kSharedBytes <= 99 << 10, "the most of sm_86 and sm_89");
};

// Tiles of many queries share what they read; tiles of few waste little when few share it.
template <int kDim>
using LargeTile = TileShape<kDim, kDim <= 128 ? 64 : 32, kDim <= 128 ? 64 : 32>;
template <int kDim>
using SmallTile = TileShape<kDim, kGridTileQueries, kDim <= 128 ? 64 : 32>;

// Calls run.operator()<kDim>() with the smallest kDim that holds a head of `dim`.
template <class Run>
void ForHeadDim(int dim, Run&& run) {
  if (dim <= 32) return run.template operator()<32>();
  if (dim <= 64) return run.template operator()<64>();
  if (dim <= 128) return run.template operator()<128>();
  run.template operator()<kMostHeadDim>();
}

// The first `count` bits, of which there may be fewer than none or more than all.
__device__ __forceinline__ uint64_t FirstBits(int count) {
  if (count <= 0) return 0;
  return count >= 64 ? ~uint64_t{0} : (uint64_t{1} << count) - 1;
}

template <class Shape>
class AttentionTile {
  static constexpr int kDim = Shape::kDim, kKeys = Shape::kKeys;

 public:
  // `memory`: Shape::kSharedFloats floats. The queries are scaled by 1/sqrt(dim) as they are read
  // from query(slot), null where the tile has fewer.
  template <class Query>
  __device__ AttentionTile(float* memory, int dim, Query&& query)
      : queries_(memory),
        tokens_(queries_ + Shape::kQueries * Shape::kRow),
        weights_(tokens_ + kKeys * Shape::kRow),
        dim_(dim) {
    const float scale = 1.0f / sqrtf(static_cast<float>(dim));
    LoadRows<Shape::kQueries>(queries_, scale, query);
#pragma unroll
    for (int i = 0; i < kQueriesPerThread; ++i) {
      max[i] = -INFINITY;
      sum[i] = 0;
      top_score[i] = -INFINITY;
      top_token[i] = -1;
      span_sum[i] = 0;
#pragma unroll
      for (int j = 0; j < Shape::kDimsPerThread; ++j) out[i][j] = 0;
    }
  }

  // The queries of this thread are slots FirstSlot() + 0, 1, 2, 3.
  __device__ static int FirstSlot() { return threadIdx.x / kColumns * kQueriesPerThread; }
  __device__ static int Column() { return threadIdx.x % kColumns; }
  __device__ static int Dim(int j) { return Column() + j * kColumns; }  // of out[i][j]

  // Attends to tokens [0, end). What `Tokens` must have, i being a query of this thread:
  //   const float* Key(int t), Value(int t)
  //   uint64_t Visible(int i, int first): bit b: the query sees token first + b
  //   kWatches; and if it does: int Position(int t), bool InSpan(int i, int t)
  template <class Tokens>
  __device__ void Attend(const Tokens& tokens, int end) {
    for (int first = 0; first < end; first += kKeys) Step(tokens, first, min(kKeys, end - first));
      // Each thread has summed its own tokens.
#pragma unroll
    for (int i = 0; i < kQueriesPerThread; ++i) {
      sum[i] = LaneSum<kColumns>(sum[i]);
      if constexpr (Tokens::kWatches) Watched(i);
    }
  }

  // Of this thread's queries: the largest score, and relative to it the softmax's denominator and
  // the output, not yet divided.
  float max[kQueriesPerThread], sum[kQueriesPerThread];
  float out[kQueriesPerThread][Shape::kDimsPerThread];
  // If watched: the largest score and the first token that has it (-1: none was seen); the part of
  // the denominator that is the answer span's.
  float top_score[kQueriesPerThread], span_sum[kQueriesPerThread];
  int top_token[kQueriesPerThread];

 private:
  // Rows of `dim_` numbers, a warp each, filled up with zeros. Null rows are zeros.
  template <int kRows, class Row>
  __device__ void LoadRows(float* to, float scale, Row&& row) {
    const int lane = threadIdx.x % kWarp;
    for (int r = threadIdx.x / kWarp; r < kRows; r += Shape::kWarps) {
      const float* from = row(r);
#pragma unroll
      for (int d = 0; d < kDim; d += kWarp) {
        const bool inside = from != nullptr && d + lane < dim_;
        to[r * Shape::kRow + d + lane] = inside ? scale * from[d + lane] : 0.0f;
      }
    }
  }

  template <class Tokens>
  __device__ void Step(const Tokens& tokens, int first, int count) {
    __syncthreads();  // the tile before is done with
    LoadRows<kKeys>(tokens_, 1.0f,
                    [&](int t) { return t < count ? tokens.Key(first + t) : nullptr; });
    __syncthreads();
    float scores[kQueriesPerThread][Shape::kKeysPerThread];
    Score(scores);
    __syncthreads();  // the values take the place of the keys
    LoadRows<kKeys>(tokens_, 1.0f,
                    [&](int t) { return t < count ? tokens.Value(first + t) : nullptr; });
#pragma unroll
    for (int i = 0; i < kQueriesPerThread; ++i) {
      Weigh(tokens, i, first, tokens.Visible(i, first) & FirstBits(count), scores[i]);
    }
    __syncthreads();
    Blend(count);
  }

  __device__ void Score(float (&scores)[kQueriesPerThread][Shape::kKeysPerThread]) const {
    const float* query = queries_ + FirstSlot() * Shape::kRow;
    const float* key = tokens_ + Column() * Shape::kRow;
#pragma unroll
    for (int i = 0; i < kQueriesPerThread; ++i) {
#pragma unroll
      for (int j = 0; j < Shape::kKeysPerThread; ++j) scores[i][j] = 0;
    }
#pragma unroll 2
    for (int d = 0; d < kDim; d += 4) {
      float4 q[kQueriesPerThread];
#pragma unroll
      for (int i = 0; i < kQueriesPerThread; ++i) q[i] = Load4(query + i * Shape::kRow + d);
#pragma unroll
      for (int j = 0; j < Shape::kKeysPerThread; ++j) {
        const float4 k = Load4(key + j * kColumns * Shape::kRow + d);
#pragma unroll
        for (int i = 0; i < kQueriesPerThread; ++i) {
          scores[i][j] += q[i].x * k.x + q[i].y * k.y + q[i].z * k.z + q[i].w * k.w;
        }
      }
    }
  }

  // Scores become weights, in shared memory, relative to the largest score so far.
  template <class Tokens>
  __device__ void Weigh(const Tokens& tokens, int i, int first, uint64_t visible,
                        const float (&scores)[Shape::kKeysPerThread]) {
    float largest = max[i];
#pragma unroll
    for (int j = 0; j < Shape::kKeysPerThread; ++j) {
      if (visible >> Dim(j) & 1) largest = fmaxf(largest, scores[j]);
    }
    largest = LaneMax<kColumns>(largest);
    const float base = largest == -INFINITY ? 0.0f : largest;  // nothing is seen so far
    const float fade = expf(max[i] - base);
    max[i] = largest;
    sum[i] *= fade;
    if constexpr (Tokens::kWatches) span_sum[i] *= fade;
#pragma unroll
    for (int j = 0; j < Shape::kDimsPerThread; ++j) out[i][j] *= fade;
    float* weights = weights_ + (FirstSlot() + i) * Shape::kWeightsRow;
#pragma unroll
    for (int j = 0; j < Shape::kKeysPerThread; ++j) {
      const int t = Dim(j);
      const bool seen = visible >> t & 1;
      const float weight = seen ? expf(scores[j] - base) : 0.0f;
      weights[t] = weight;
      sum[i] += weight;
      if constexpr (Tokens::kWatches) {
        if (seen && scores[j] > top_score[i]) {
          top_score[i] = scores[j];
          top_token[i] = tokens.Position(first + t);
        }
        if (seen && tokens.InSpan(i, first + t)) span_sum[i] += weight;
      }
    }
  }

  // out += weights · values. Weights past `count` are zeros, and so are their values.
  __device__ void Blend(int count) {
    const float* weights = weights_ + FirstSlot() * Shape::kWeightsRow;
    const float* values = tokens_ + Column();
    for (int t = 0; t < count; t += 4) {
      float4 w[kQueriesPerThread];
#pragma unroll
      for (int i = 0; i < kQueriesPerThread; ++i)
        w[i] = Load4(weights + i * Shape::kWeightsRow + t);
#pragma unroll
      for (int j = 0; j < Shape::kDimsPerThread; ++j) {
        const float* v = values + t * Shape::kRow + j * kColumns;
        const float v0 = v[0], v1 = v[Shape::kRow], v2 = v[2 * Shape::kRow];
        const float v3 = v[3 * Shape::kRow];
#pragma unroll
        for (int i = 0; i < kQueriesPerThread; ++i) {
          out[i][j] += w[i].x * v0 + w[i].y * v1 + w[i].z * v2 + w[i].w * v3;
        }
      }
    }
  }

  // What the columns have seen of a query, together; of equal scores the earlier token.
  __device__ void Watched(int i) {
    span_sum[i] = LaneSum<kColumns>(span_sum[i]);
#pragma unroll
    for (int lanes = kColumns / 2; lanes > 0; lanes /= 2) {
      const float score = __shfl_xor_sync(kAllLanes, top_score[i], lanes);
      const int token = __shfl_xor_sync(kAllLanes, top_token[i], lanes);
      const bool earlier = token >= 0 && token < top_token[i];
      if (score > top_score[i] || (score == top_score[i] && earlier)) {
        top_score[i] = score;
        top_token[i] = token;
      }
    }
  }

  __device__ static float4 Load4(const float* from) {
    return *reinterpret_cast<const float4*>(from);
  }

  float* const queries_;
  float* const tokens_;  // keys, then values
  float* const weights_;
  const int dim_;
};

}  // namespace kvscope::inference::cuda
