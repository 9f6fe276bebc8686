// The launchers of the kernels: shapes, and what each computes. Pointers are device memory; every
// launcher returns as soon as its kernels stand in the stream. Contracts are those of ops.h.
#pragma once

#include <cublas_v2.h>
#include <cuda_runtime.h>

#include <cstdint>

#include "services/inference/tensor/tensor.h"

namespace kvscope::inference::cuda {

// rows.cu: a thread an element.

// y[i] = x[i] in another dtype (float32, bfloat16 or float16); narrowing rounds to nearest even.
void Convert(const void* x, DType from, void* y, DType to, int64_t size, cudaStream_t stream);
// y[r, i] = row[i]
void RepeatRow(const float* row, int64_t rows, int64_t width, float* y, cudaStream_t stream);
// y[r] = x[rows[r], begin .. begin + width) where x's rows are `stride` wide; rows null: row r.
void GatherRows(const void* x, DType dtype, const int32_t* rows, int64_t row_count, int64_t stride,
                int64_t begin, int64_t width, float* y, cudaStream_t stream);
void Add(float* x, const float* y, int64_t size, cudaStream_t stream);
void SwiGlu(const float* x, int64_t rows, int64_t width, float* y, cudaStream_t stream);
// table: [positions, 2, head_dim / 2], the cosines of a position, then its sines.
void Rotate(float* x, const int32_t* positions, const float* table, int64_t rows, int64_t heads,
            int64_t head_dim, cudaStream_t stream);
void StoreKv(const float* x, const int32_t* slots, const int32_t* positions, int64_t rows,
             int64_t heads, int64_t head_dim, int64_t capacity, float* cache, cudaStream_t stream);

// reduce.cu: a block a row.

void RmsNorm(const float* x, const float* weight, float eps, int64_t rows, int64_t width, float* y,
             cudaStream_t stream);
// x += y, then as RmsNorm of x.
void AddRmsNorm(float* x, const float* y, const float* weight, float eps, int64_t rows,
                int64_t width, float* normed, cudaStream_t stream);
void Argmax(const float* x, int64_t rows, int64_t width, int32_t* ids, cudaStream_t stream);

// Keys and values, [kv_heads, capacity, head_dim] each.
struct KvView {
  const float* k;
  const float* v;
  int64_t capacity;
};
struct Heads {
  int q_heads, kv_heads, dim;  // of head_dim at most kMostHeadDim
  __host__ __device__ int group() const { return q_heads / kv_heads; }
};
constexpr int kMostHeadDim = 256;

// attention.cu

// Blocks of query rows against tiles of keys, with a running softmax: nothing of size
// [tokens, tokens] is held.
void CausalAttention(const float* q, const KvView& kv, const Heads& heads, int64_t first,
                     int64_t rows, float* out, cudaStream_t stream);
// The weights [rows, first + rows] of one query head, which only an inspection asks for.
void CausalWeights(const float* q, const KvView& kv, const Heads& heads, int head, int64_t first,
                   int64_t rows, float* weights, cudaStream_t stream);

// grid.cu

// Queries of a KV head that one block or product takes: query q, begin <= q < end, is query head q
// % group of row rows[q / group], where `rows` is an array of the step.
struct GridTile {
  int32_t kv_head, begin, end;
};
constexpr int kGridTileQueries = 16;  // at most, of a gathered tile

// GridAttention with everything on the device, cut by PlanGrid (grid_plan.h).
struct GridStep {
  const float* q;
  KvView context;
  KvView suffix;  // [slots, kv_heads, capacity, head_dim]
  Heads heads;
  int rows_count, tokens, words, places, dense_count, gathered_count;
  const uint64_t* keep;
  const int32_t *row_set, *row_slot, *row_suffix_length;
  const int32_t* row_capture;  // null: no row is watched
  const uint64_t* spans;
  const int32_t *rows, *place;
  const GridTile *dense, *gathered;
};
// What the watched (row, query head)s saw, [rows, q_heads] on the device.
struct GridSeen {
  int32_t* top_token;
  float* top_weight;
  float* answer_mass;
};
// Bytes of scratch memory that Grid needs.
size_t GridScratchBytes(const GridStep& step);
void Grid(const GridStep& step, void* scratch, float* out, const GridSeen& seen,
          cublasHandle_t blas, cudaStream_t stream);

}  // namespace kvscope::inference::cuda
