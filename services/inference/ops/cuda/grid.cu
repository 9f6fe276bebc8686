// One decode step of all streams: rows [rows, q_heads, head_dim] over one shared context, each
// through its own keep set, and over its stream's own suffix.
//
// The context is cut into splits, and a row's attention into as many parts and one for its suffix:
// the kernels below each compute parts, and Combine joins them. How a part is computed says the
// host's plan (grid_plan.h). Where most is kept, batches of cuBLAS multiply all queries by all
// tokens, and a kernel between the two products masks (AttendDense); where little is, the kept
// tokens are gathered, for queries of one keep set (Gather).
#include <algorithm>
#include <climits>
#include <cmath>

#include "services/inference/ops/cuda/attention_tile.cuh"
#include "services/inference/ops/cuda/kernels.h"
#include "services/inference/ops/cuda/launch.h"
#include "services/inference/ops/cuda/scratch.h"
#include "services/inference/ops/cuda/status.h"

namespace kvscope::inference::cuda {
namespace {

constexpr int kCombineThreads = 128, kPackThreads = 256, kMaskThreads = 128;

// What a query saw in one part, relative to the part's largest score; see AttentionTile.
struct Part {
  float max, sum, top_score, span_sum;
  int32_t top_token;
};
static_assert(sizeof(Part) == kPartBytes);

// Scratch memory of a step, and how the context is cut.
struct Plan {
  int splits, split_tokens;
  int parts;    // splits, then the suffix
  float* outs;  // [places, parts, head_dim]
  Part* seen;   // [places, parts]
  // Of dense tiles; a batch is a tile and a split. Each has `width` tokens: the last split begins
  // where it ends with the last token, and leaves out those of the split before.
  int width;
  int64_t stride;         // of a query's scores
  int most_tiles;         // whose scores there is room for
  float* queries;         // [dense tiles, kDenseQueries, head_dim], scaled
  float* scores;          // [most_tiles, splits, kDenseQueries, stride], then weights
  const float** factors;  // where the batches' keys, queries, values and scores are: see Factor
  float** products;       // and their scores and outs

  __device__ int SplitBegin(int split) const { return split * split_tokens; }
  __device__ int BatchBegin(int split, int tokens) const {
    return min(SplitBegin(split), tokens - width);
  }
};

// Arrays [dense tiles, splits] of addresses in Plan::factors and Plan::products.
enum Factor { kKeys, kQueries, kValues, kWeights, kFactors };
enum Product { kScores, kOuts, kProducts };

// Bits past the last token mean nothing.
__device__ __forceinline__ uint64_t KeepWord(const uint64_t* keep, int w, int tokens) {
  return keep[w] & FirstBits(tokens - w * kWordTokens);
}

// The queries of a tile.
struct TileQueries {
  const GridStep& step;
  GridTile tile;
  const int32_t* rows;  // see GridTile; null: query i is one of row i / group

  __device__ int Row(int query) const {
    const int row = query / step.heads.group();
    return rows == nullptr ? row : rows[row];
  }
  // Of (row, query head), in q and out.
  __device__ int64_t Index(int query) const {
    const int group = step.heads.group();
    return static_cast<int64_t>(Row(query)) * step.heads.q_heads + tile.kv_head * group +
           query % group;
  }
  __device__ int64_t Place(int query) const {
    return step.place[Row(query) * step.heads.kv_heads + tile.kv_head] + query % step.heads.group();
  }
  __device__ const float* Query(int slot) const {
    const int query = tile.begin + slot;
    return query < tile.end ? step.q + Index(query) * step.heads.dim : nullptr;
  }
  // Which list of step.keep the query sees: [sets, kv_heads].
  __device__ int KeepList(int query) const {
    return step.row_set[Row(query)] * step.heads.kv_heads + tile.kv_head;
  }
  // Which answer span the query's row is watched for; -1: it is not watched.
  __device__ int Span(int query) const {
    return step.row_capture == nullptr ? -1 : step.row_capture[Row(query)];
  }
};

// The word of list `list` that has token t.
__device__ __forceinline__ uint64_t Word(const uint64_t* lists, int list, int words, int t) {
  return lists[static_cast<int64_t>(list) * words + t / kWordTokens];
}

__device__ __forceinline__ bool IsInSpan(const GridStep& step, int span, int t) {
  return span >= 0 && (Word(step.spans, span, step.words, t) >> t % kWordTokens & 1);
}

// The kept tokens of a split, which a list names.
struct GatheredTokens {
  static constexpr bool kWatches = true;
  const GridStep& step;
  const float *keys, *values;
  int dim, begin;
  const uint16_t* kept;  // from the split's first token on
  int span[kQueriesPerThread];

  __device__ const float* Key(int t) const { return keys + static_cast<int64_t>(kept[t]) * dim; }
  __device__ const float* Value(int t) const {
    return values + static_cast<int64_t>(kept[t]) * dim;
  }
  __device__ int Position(int t) const { return begin + kept[t]; }
  __device__ uint64_t Visible(int, int) const { return ~uint64_t{0}; }
  __device__ bool InSpan(int i, int t) const { return IsInSpan(step, span[i], Position(t)); }
};

struct SuffixTokens {
  static constexpr bool kWatches = false;
  const float *keys, *values;
  int dim;

  __device__ const float* Key(int t) const { return keys + static_cast<int64_t>(t) * dim; }
  __device__ const float* Value(int t) const { return values + static_cast<int64_t>(t) * dim; }
  __device__ uint64_t Visible(int, int) const { return ~uint64_t{0}; }
};

template <class Shape>
__device__ void WritePart(const AttentionTile<Shape>& tile, const TileQueries& queries,
                          const Plan& plan, int part) {
  const int dim = queries.step.heads.dim;
#pragma unroll
  for (int i = 0; i < kQueriesPerThread; ++i) {
    const int query = queries.tile.begin + tile.FirstSlot() + i;
    if (query >= queries.tile.end) continue;
    const int64_t at = queries.Place(query) * plan.parts + part;
#pragma unroll
    for (int j = 0; j < Shape::kDimsPerThread; ++j) {
      if (tile.Dim(j) < dim) plan.outs[at * dim + tile.Dim(j)] = tile.out[i][j];
    }
    if (tile.Column() == 0) {
      plan.seen[at] = {tile.max[i], tile.sum[i], tile.top_score[i], tile.span_sum[i],
                       tile.top_token[i]};
    }
  }
}

// A block a dense tile: its queries one after the other, scaled, and the addresses of its batches.
__global__ void __launch_bounds__(kPackThreads) PackKernel(GridStep step, Plan plan) {
  const int tile = blockIdx.x, dim = step.heads.dim;
  const TileQueries queries = {step, step.dense[tile], step.rows};
  const float scale = 1.0f / sqrtf(static_cast<float>(dim));
  float* packed = plan.queries + static_cast<int64_t>(tile) * kDenseQueries * dim;
  for (int i = threadIdx.x; i < kDenseQueries * dim; i += kPackThreads) {
    const float* query = queries.Query(i / dim);
    packed[i] = query == nullptr ? 0.0f : scale * query[i % dim];
  }
  const int split = threadIdx.x, batches = step.dense_count * plan.splits;
  if (split >= plan.splits) return;
  const int batch = tile * plan.splits + split;
  const int64_t token =
      queries.tile.kv_head * step.context.capacity + plan.BatchBegin(split, step.tokens);
  float* scores =
      plan.scores + (batch % (plan.most_tiles * plan.splits)) * kDenseQueries * plan.stride;
  plan.factors[kKeys * batches + batch] = step.context.k + token * dim;
  plan.factors[kQueries * batches + batch] = packed;
  plan.factors[kValues * batches + batch] = step.context.v + token * dim;
  plan.factors[kWeights * batches + batch] = scores;
  plan.products[kScores * batches + batch] = scores;
  plan.products[kOuts * batches + batch] =
      plan.outs + (int64_t{tile} * kDenseQueries * plan.parts + split) * dim;
}

// Blocks: so many queries of the dense tiles from `first` on, splits. A warp a query: its scores
// become weights, relative to the largest of those it sees.
__global__ void __launch_bounds__(kMaskThreads) MaskKernel(GridStep step, Plan plan, int first) {
  const int split = blockIdx.y, lane = threadIdx.x % kWarp;
  const int slot = blockIdx.x * (kMaskThreads / kWarp) + threadIdx.x / kWarp;  // of all tiles'
  const int tile = slot / kDenseQueries;
  const TileQueries queries = {step, step.dense[first + tile], step.rows};
  const int query = queries.tile.begin + slot % kDenseQueries;
  if (query >= queries.tile.end) return;
  float* scores = plan.scores + (static_cast<int64_t>(tile * plan.splits + split) * kDenseQueries +
                                 slot % kDenseQueries) *
                                    plan.stride;
  const int begin = plan.BatchBegin(split, step.tokens), own = plan.SplitBegin(split);
  const uint64_t* keep = step.keep + static_cast<int64_t>(queries.KeepList(query)) * step.words;
  const auto sees = [&](int i) {
    const int t = begin + i;
    return t >= own && (keep[t / kWordTokens] >> t % kWordTokens & 1) != 0;
  };
  float max = -INFINITY;
  int top = INT_MAX;
  for (int i = lane; i < plan.width; i += kWarp) {
    if (!sees(i) || scores[i] <= max) continue;
    max = scores[i];
    top = begin + i;
  }
  const float largest = LaneMax<kWarp>(max);
  top = LaneMin<kWarp>(max == largest ? top : INT_MAX);
  const float base = largest == -INFINITY ? 0.0f : largest;  // nothing is seen
  const int span = queries.Span(query);
  float sum = 0, span_sum = 0;
  for (int i = lane; i < plan.width; i += kWarp) {
    const float weight = sees(i) ? expf(scores[i] - base) : 0.0f;
    scores[i] = weight;
    sum += weight;
    if (IsInSpan(step, span, begin + i)) span_sum += weight;
  }
  sum = LaneSum<kWarp>(sum);
  span_sum = LaneSum<kWarp>(span_sum);
  if (lane != 0) return;
  plan.seen[queries.Place(query) * plan.parts + split] = {largest, sum, largest, span_sum,
                                                          top == INT_MAX ? -1 : top};
}

// Lists those of a split's `tokens` that are kept, by the whole block; returns how many there are.
template <int kThreads>
__device__ int ListKept(const uint64_t* keep, int tokens, uint16_t* kept) {
  KVSCOPE_SHARED(int, counts, [kThreads]);
  int count = 0;
  for (int first = 0; first * kWordTokens < tokens; first += kThreads) {
    const int w = first + threadIdx.x;
    uint64_t bits = w * kWordTokens < tokens ? KeepWord(keep, w, tokens) : 0;
    counts[threadIdx.x] = __popcll(bits);
    __syncthreads();
    int at = count;
    for (int t = 0; t < kThreads; ++t) {
      if (t < static_cast<int>(threadIdx.x)) at += counts[t];
      count += counts[t];
    }
    for (; bits != 0; bits &= bits - 1) {
      kept[at++] =
          static_cast<uint16_t>(w * kWordTokens + __ffsll(static_cast<long long>(bits)) - 1);
    }
    __syncthreads();
  }
  return count;
}

// Blocks: the gathered tiles, splits.
template <class Shape>
__global__ void __launch_bounds__(Shape::kThreads, Shape::kBlocks)
    GatherKernel(GridStep step, Plan plan) {
  KVSCOPE_DYNAMIC_SHARED(memory);
  auto* kept = reinterpret_cast<uint16_t*>(memory + Shape::kSharedFloats);
  const GridTile of = step.gathered[blockIdx.x];
  const int split = blockIdx.y, dim = step.heads.dim;
  const TileQueries queries = {step, of, step.rows};
  const int begin = plan.SplitBegin(split);
  const uint64_t* keep = step.keep + static_cast<int64_t>(queries.KeepList(of.begin)) * step.words;
  const int count = ListKept<Shape::kThreads>(keep + begin / kWordTokens,
                                              min(plan.split_tokens, step.tokens - begin), kept);
  AttentionTile<Shape> tile(memory, dim, [&](int slot) { return queries.Query(slot); });
  const int64_t cache = (of.kv_head * step.context.capacity + begin) * dim;
  GatheredTokens tokens = {step, step.context.k + cache, step.context.v + cache, dim, begin, kept,
                           {}};
#pragma unroll
  for (int i = 0; i < kQueriesPerThread; ++i) {
    const int query = of.begin + tile.FirstSlot() + i;
    tokens.span[i] = query < of.end ? queries.Span(query) : -1;
  }
  tile.Attend(tokens, count);
  WritePart(tile, queries, plan, split);
}

// Blocks: tiles of each row's queries of a KV head, KV heads.
template <class Shape>
__global__ void __launch_bounds__(Shape::kThreads, Shape::kBlocks)
    SuffixKernel(GridStep step, Plan plan) {
  KVSCOPE_DYNAMIC_SHARED(memory);
  const int kv_head = blockIdx.y, group = step.heads.group(), dim = step.heads.dim;
  const int tiles = (group + Shape::kQueries - 1) / Shape::kQueries;  // of a row
  const int row = blockIdx.x / tiles;
  const int begin = row * group + blockIdx.x % tiles * Shape::kQueries;
  const GridTile of = {kv_head, begin, min(begin + Shape::kQueries, (row + 1) * group)};
  const TileQueries queries = {step, of, nullptr};
  AttentionTile<Shape> tile(memory, dim, [&](int slot) { return queries.Query(slot); });
  const int64_t slot = step.row_slot[row];
  const int64_t cache = (slot * step.heads.kv_heads + kv_head) * step.suffix.capacity * dim;
  const SuffixTokens tokens = {step.suffix.k + cache, step.suffix.v + cache, dim};
  tile.Attend(tokens, step.row_suffix_length[row]);
  WritePart(tile, queries, plan, plan.splits);
}

// Blocks: query heads, rows. Joins the parts of a query.
__global__ void __launch_bounds__(kCombineThreads)
    CombineKernel(GridStep step, Plan plan, float* out, GridSeen seen) {
  const int head = blockIdx.x % step.heads.q_heads, row = blockIdx.x / step.heads.q_heads;
  const int dim = step.heads.dim, kv_head = head / step.heads.group();
  const int64_t place = step.place[row * step.heads.kv_heads + kv_head] + head % step.heads.group();
  const Part* parts = plan.seen + place * plan.parts;
  const float* outs = plan.outs + place * plan.parts * dim;
  float max = -INFINITY, sum = 0;
  for (int p = 0; p < plan.parts; ++p) max = fmaxf(max, parts[p].max);
  for (int p = 0; p < plan.parts; ++p) sum += parts[p].sum * expf(parts[p].max - max);
  for (int d = threadIdx.x; d < dim; d += kCombineThreads) {
    float value = 0;
    for (int p = 0; p < plan.parts; ++p) value += outs[p * dim + d] * expf(parts[p].max - max);
    out[static_cast<int64_t>(blockIdx.x) * dim + d] = value / sum;
  }
  if (threadIdx.x != 0 || step.row_capture == nullptr || step.row_capture[row] < 0) return;

  float top_score = -INFINITY, span_sum = 0;
  int32_t top_token = -1;
  for (int p = 0; p < plan.splits; ++p) {
    if (parts[p].top_score > top_score) {
      top_score = parts[p].top_score;
      top_token = parts[p].top_token;
    }
    span_sum += parts[p].span_sum * expf(parts[p].max - max);
  }
  const float top_weight = expf(top_score - max) / sum;
  if (top_token >= 0 && top_weight == 0) {  // all weigh nothing, so the first of them has the tie
    const uint64_t* keep =
        step.keep +
        (static_cast<int64_t>(step.row_set[row]) * step.heads.kv_heads + kv_head) * step.words;
    int w = 0;
    while (keep[w] == 0) ++w;
    top_token = w * kWordTokens + __ffsll(static_cast<long long>(keep[w])) - 1;
  }
  seen.top_token[blockIdx.x] = top_token;
  seen.top_weight[blockIdx.x] = top_weight;
  seen.answer_mass[blockIdx.x] = span_sum / sum;
}

// Cuts the context and lays the arrays out in `memory`; returns their bytes. Null: only counts
// them.
size_t MakePlan(const GridStep& step, uint8_t* memory, Plan& plan) {
  plan.split_tokens = SplitTokens(step.words);
  plan.splits = static_cast<int>(Blocks(step.tokens, plan.split_tokens));
  plan.parts = plan.splits + 1;
  plan.width = std::min(plan.split_tokens, step.tokens);
  plan.stride = ScoreStride(plan.width);
  plan.most_tiles = static_cast<int>(
      std::min<int64_t>(step.dense_count, DenseTilesAtATime(plan.splits * plan.stride)));
  size_t bytes = 0;
  const auto take = [&]<class T>(T*& array, int64_t count) {
    array = memory == nullptr ? nullptr : reinterpret_cast<T*>(memory + bytes);
    bytes += (static_cast<size_t>(count) * sizeof(T) + 255) / 256 * 256;
  };
  const int64_t parts = int64_t{step.places} * plan.parts;
  const int64_t tiles = step.dense_count, batches = tiles * plan.splits;
  take(plan.outs, parts * step.heads.dim);
  take(plan.seen, parts);
  take(plan.queries, tiles * kDenseQueries * step.heads.dim);
  take(plan.scores, plan.most_tiles * plan.splits * kDenseQueries * plan.stride);
  take(plan.factors, kFactors * batches);
  take(plan.products, kProducts * batches);
  return bytes;
}

// Some batches of all: product = op(a) · b, column by column, for each of them.
struct Batches {
  cublasHandle_t blas;
  const Plan& plan;
  int all, first, count;

  void Multiply(cublasOperation_t op, int m, int k, Factor a, int64_t lda, Factor b, int64_t ldb,
                Product product, int64_t ldc) const {
    const auto factor = [&](Factor of) {
      return reinterpret_cast<const void* const*>(plan.factors + of * all + first);
    };
    auto* const* products = reinterpret_cast<void* const*>(plan.products + product * all + first);
    const float one = 1.0f, zero = 0.0f;
    CheckCublas(
        cublasGemmBatchedEx(blas, op, CUBLAS_OP_N, m, kDenseQueries, k, &one, factor(a), CUDA_R_32F,
                            static_cast<int>(lda), factor(b), CUDA_R_32F, static_cast<int>(ldb),
                            &zero, products, CUDA_R_32F, static_cast<int>(ldc), count,
                            CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT),
        "products of a grid");
  }
};

// As many tiles at a time as there is room for scores.
void AttendDense(const GridStep& step, const Plan& plan, cublasHandle_t blas, cudaStream_t stream) {
  const int dim = step.heads.dim;
  Launch(PackKernel, static_cast<unsigned>(step.dense_count), kPackThreads, 0, stream, step, plan);
  for (int first = 0; first < step.dense_count; first += plan.most_tiles) {
    const int tiles = std::min(plan.most_tiles, step.dense_count - first);
    const Batches batches = {blas, plan, step.dense_count * plan.splits, first * plan.splits,
                             tiles * plan.splits};
    // scores = queries · keysᵀ; outs = weights · values, each query's at its place.
    batches.Multiply(CUBLAS_OP_T, plan.width, dim, kKeys, dim, kQueries, dim, kScores, plan.stride);
    const dim3 queries(Blocks(int64_t{tiles} * kDenseQueries, kMaskThreads / kWarp), plan.splits);
    Launch(MaskKernel, queries, kMaskThreads, 0, stream, step, plan, first);
    batches.Multiply(CUBLAS_OP_N, dim, plan.width, kValues, dim, kWeights, plan.stride, kOuts,
                     int64_t{plan.parts} * dim);
  }
}

template <int kDim>
void AttendGathered(const GridStep& step, const Plan& plan, cudaStream_t stream) {
  using Shape = SmallTile<kDim>;
  const dim3 grid(static_cast<unsigned>(step.gathered_count), plan.splits);
  Launch(GatherKernel<Shape>, grid, Shape::kThreads,
         Shape::kSharedBytes + plan.split_tokens * sizeof(uint16_t), stream, step, plan);
}

template <int kDim>
void AttendToSuffix(const GridStep& step, const Plan& plan, cudaStream_t stream) {
  using Shape = SmallTile<kDim>;
  const dim3 grid(step.rows_count * Blocks(step.heads.group(), Shape::kQueries),
                  step.heads.kv_heads);
  Launch(SuffixKernel<Shape>, grid, Shape::kThreads, Shape::kSharedBytes, stream, step, plan);
}

}  // namespace

size_t GridScratchBytes(const GridStep& step) {
  Plan plan;
  return MakePlan(step, nullptr, plan);
}

void Grid(const GridStep& step, void* scratch, float* out, const GridSeen& seen,
          cublasHandle_t blas, cudaStream_t stream) {
  if (step.rows_count == 0) return;
  Plan plan;
  MakePlan(step, static_cast<uint8_t*>(scratch), plan);
  if (step.dense_count > 0) AttendDense(step, plan, blas, stream);
  ForHeadDim(step.heads.dim, [&]<int kDim>() {
    if (step.gathered_count * plan.splits > 0) AttendGathered<kDim>(step, plan, stream);
    AttendToSuffix<kDim>(step, plan, stream);
  });
  const auto queries = static_cast<unsigned>(step.rows_count * step.heads.q_heads);
  Launch(CombineKernel, queries, kCombineThreads, 0, stream, step, plan, out, seen);
}

}  // namespace kvscope::inference::cuda
