// One decode step of all streams: rows [rows, q_heads, head_dim] over one shared context, each
// through its own keep set, and over its stream's own suffix.
//
// The context is cut into splits, and a row's attention into as many parts and one for its suffix:
// the kernels below each compute parts, and Combine joins them. How a part is computed depends on
// the keep set of its row and KV head alone: where more than half is kept, all tokens are read once
// for many rows, and masked (Dense); else the kept ones are gathered, for rows of one keep set
// (Gather).
#include <cmath>

#include "services/inference/ops/cuda/attention_tile.cuh"
#include "services/inference/ops/cuda/kernels.h"
#include "services/inference/ops/cuda/launch.h"
#include "services/inference/ops/cuda/scratch.h"

namespace kvscope::inference::cuda {
namespace {

constexpr int kPlanThreads = 256, kCombineThreads = 128, kCountThreads = 128;

// What a query saw in one part, relative to the part's largest score; see AttentionTile.
struct Part {
  float max, sum, top_score, span_sum;
  int32_t top_token;
};
static_assert(sizeof(Part) == kPartBytes);

// Scratch memory of a step, and how the context is cut.
struct Plan {
  int splits, split_tokens;
  int parts;             // splits, then the suffix
  float* outs;           // [rows, q_heads, parts, head_dim]
  Part* seen;            // [rows, q_heads, parts]
  int32_t* kept;         // [sets, kv_heads]
  int32_t* dense_rows;   // [kv_heads, rows], the rows that Dense computes
  int32_t* dense_count;  // [kv_heads]
};

__device__ __forceinline__ bool IsDense(int kept, int tokens) { return 2 * kept > tokens; }

// Bits past the last token mean nothing.
__device__ __forceinline__ uint64_t KeepWord(const uint64_t* keep, int w, int tokens) {
  return keep[w] & FirstBits(tokens - w * kWordTokens);
}

// A warp a keep set and KV head: how many tokens it keeps.
__global__ void __launch_bounds__(kCountThreads) CountKernel(GridStep step, Plan plan) {
  const int lists = step.sets * step.heads.kv_heads;
  const int list = blockIdx.x * (kCountThreads / kWarp) + threadIdx.x / kWarp;
  if (list >= lists) return;
  const uint64_t* keep = step.keep + static_cast<int64_t>(list) * step.words;
  int kept = 0;
  for (int w = threadIdx.x % kWarp; w < step.words; w += kWarp) {
    kept += __popcll(KeepWord(keep, w, step.tokens));
  }
  kept = LaneSum<kWarp>(kept);
  if (threadIdx.x % kWarp == 0) plan.kept[list] = kept;
}

// A block a KV head: the rows that Dense computes, in their order.
__global__ void __launch_bounds__(kPlanThreads) PlanKernel(GridStep step, Plan plan) {
  constexpr int kWarps = kPlanThreads / kWarp;
  KVSCOPE_SHARED(int32_t, counts, [kWarps]);
  const int head = blockIdx.x, kv_heads = step.heads.kv_heads;
  const int warp = threadIdx.x / kWarp, lane = threadIdx.x % kWarp;
  int count = 0;
  for (int first = 0; first < step.rows; first += kPlanThreads) {
    const int row = first + threadIdx.x;
    const bool dense =
        row < step.rows && IsDense(plan.kept[step.row_set[row] * kv_heads + head], step.tokens);
    const unsigned ballot = __ballot_sync(kAllLanes, dense);
    if (lane == 0) counts[warp] = __popc(ballot);
    __syncthreads();
    int before = count;
    for (int w = 0; w < kWarps; ++w) {
      if (w < warp) before += counts[w];
      count += counts[w];
    }
    if (dense) {
      plan.dense_rows[head * step.rows + before + __popc(ballot & ((1u << lane) - 1))] = row;
    }
    __syncthreads();  // the next rows' counts take the place of these
  }
  if (threadIdx.x == 0) plan.dense_count[head] = count;
}

// Where a block stands: its KV head and split, and the queries of its tile.
struct TileQueries {
  const GridStep& step;
  int kv_head;
  const int32_t* rows;  // query i of the tile is one of row rows[i / group]; null: of row i / group
  int begin, end;

  __device__ int Row(int query) const {
    const int row = query / step.heads.group();
    return rows == nullptr ? row : rows[row];
  }
  // Of (row, query head), in q, out and parts.
  __device__ int64_t Index(int query) const {
    const int group = step.heads.group();
    return static_cast<int64_t>(Row(query)) * step.heads.q_heads + kv_head * group + query % group;
  }
  __device__ const float* Query(int slot) const {
    return begin + slot < end ? step.q + Index(begin + slot) * step.heads.dim : nullptr;
  }
  // Which list of step.keep the query sees: [sets, kv_heads].
  __device__ int KeepList(int query) const {
    return step.row_set[Row(query)] * step.heads.kv_heads + kv_head;
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

// The tokens of a split that Dense attends to; 0 is the split's first.
struct DenseTokens {
  static constexpr bool kWatches = true;
  const GridStep& step;
  const float *keys, *values;
  int dim, begin;
  int keep[kQueriesPerThread];  // list of this thread's queries; -1: there is no query
  int span[kQueriesPerThread];  // see TileQueries::Span

  __device__ const float* Key(int t) const { return keys + static_cast<int64_t>(t) * dim; }
  __device__ const float* Value(int t) const { return values + static_cast<int64_t>(t) * dim; }
  __device__ int Position(int t) const { return begin + t; }
  __device__ uint64_t Visible(int i, int first) const {
    const int t = begin + first;
    return keep[i] < 0 ? 0 : Word(step.keep, keep[i], step.words, t) >> t % kWordTokens;
  }
  __device__ bool InSpan(int i, int t) const { return IsInSpan(step, span[i], begin + t); }
};

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
    const int query = queries.begin + tile.FirstSlot() + i;
    if (query >= queries.end) continue;
    const int64_t at = queries.Index(query) * plan.parts + part;
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

// Blocks: tiles of the dense rows' queries, KV heads, splits.
template <class Shape>
__global__ void __launch_bounds__(Shape::kThreads, Shape::kBlocks)
    DenseKernel(GridStep step, Plan plan) {
  KVSCOPE_DYNAMIC_SHARED(memory);
  const int kv_head = blockIdx.y, dim = step.heads.dim;
  const int count = plan.dense_count[kv_head] * step.heads.group();
  const int first_query = blockIdx.x * Shape::kQueries;
  if (first_query >= count) return;  // the grid is large enough for all rows
  const TileQueries queries = {step, kv_head, plan.dense_rows + kv_head * step.rows, first_query,
                               min(first_query + Shape::kQueries, count)};
  AttentionTile<Shape> tile(memory, dim, [&](int slot) { return queries.Query(slot); });
  const int begin = blockIdx.z * plan.split_tokens;
  const int64_t cache = (kv_head * step.context.capacity + begin) * dim;
  DenseTokens tokens = {step, step.context.k + cache, step.context.v + cache, dim, begin, {}, {}};
#pragma unroll
  for (int i = 0; i < kQueriesPerThread; ++i) {
    const int query = queries.begin + tile.FirstSlot() + i;
    const bool exists = query < queries.end;
    tokens.keep[i] = exists ? queries.KeepList(query) : -1;
    tokens.span[i] = exists ? queries.Span(query) : -1;
  }
  tile.Attend(tokens, min(plan.split_tokens, step.tokens - begin));
  WritePart(tile, queries, plan, blockIdx.z);
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

// Blocks: the step's tiles (of one keep set each), KV heads, splits.
template <class Shape>
__global__ void __launch_bounds__(Shape::kThreads, Shape::kBlocks)
    GatherKernel(GridStep step, Plan plan) {
  KVSCOPE_DYNAMIC_SHARED(memory);
  auto* kept = reinterpret_cast<uint16_t*>(memory + Shape::kSharedFloats);
  const GridTile of = step.tiles[blockIdx.x];
  const int kv_head = blockIdx.y, dim = step.heads.dim;
  const TileQueries queries = {step, kv_head, step.rows_by_set, of.begin, of.end};
  const int list = queries.KeepList(of.begin);
  if (IsDense(plan.kept[list], step.tokens)) return;
  const int begin = blockIdx.z * plan.split_tokens;
  const uint64_t* keep = step.keep + static_cast<int64_t>(list) * step.words;
  const int count = ListKept<Shape::kThreads>(keep + begin / kWordTokens,
                                              min(plan.split_tokens, step.tokens - begin), kept);
  AttentionTile<Shape> tile(memory, dim, [&](int slot) { return queries.Query(slot); });
  const int64_t cache = (kv_head * step.context.capacity + begin) * dim;
  GatheredTokens tokens = {step, step.context.k + cache, step.context.v + cache, dim, begin, kept,
                           {}};
#pragma unroll
  for (int i = 0; i < kQueriesPerThread; ++i) {
    const int query = of.begin + tile.FirstSlot() + i;
    tokens.span[i] = query < of.end ? queries.Span(query) : -1;
  }
  tile.Attend(tokens, count);
  WritePart(tile, queries, plan, blockIdx.z);
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
  const TileQueries queries = {step, kv_head, nullptr, begin,
                               min(begin + Shape::kQueries, (row + 1) * group)};
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
  const int dim = step.heads.dim;
  const Part* parts = plan.seen + static_cast<int64_t>(blockIdx.x) * plan.parts;
  const float* outs = plan.outs + static_cast<int64_t>(blockIdx.x) * plan.parts * dim;
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
    const int kv_head = head / step.heads.group();
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
  size_t bytes = 0;
  const auto take = [&]<class T>(T*& array, int64_t count) {
    array = memory == nullptr ? nullptr : reinterpret_cast<T*>(memory + bytes);
    bytes += (static_cast<size_t>(count) * sizeof(T) + 15) / 16 * 16;
  };
  const int64_t parts = int64_t{step.rows} * step.heads.q_heads * plan.parts;
  take(plan.outs, parts * step.heads.dim);
  take(plan.seen, parts);
  take(plan.kept, int64_t{step.sets} * step.heads.kv_heads);
  take(plan.dense_rows, int64_t{step.heads.kv_heads} * step.rows);
  take(plan.dense_count, step.heads.kv_heads);
  return bytes;
}

template <int kDim>
void AttendToContext(const GridStep& step, const Plan& plan, cudaStream_t stream) {
  using Large = LargeTile<kDim>;
  using Small = SmallTile<kDim>;
  const auto kv_heads = static_cast<unsigned>(step.heads.kv_heads);
  const auto splits = static_cast<unsigned>(plan.splits);
  const dim3 dense(Blocks(int64_t{step.rows} * step.heads.group(), Large::kQueries), kv_heads,
                   splits);
  Launch(DenseKernel<Large>, dense, Large::kThreads, Large::kSharedBytes, stream, step, plan);
  const dim3 gather(static_cast<unsigned>(step.tile_count), kv_heads, splits);
  Launch(GatherKernel<Small>, gather, Small::kThreads,
         Small::kSharedBytes + plan.split_tokens * sizeof(uint16_t), stream, step, plan);
}

template <int kDim>
void AttendToSuffix(const GridStep& step, const Plan& plan, cudaStream_t stream) {
  using Shape = SmallTile<kDim>;
  const dim3 grid(step.rows * Blocks(step.heads.group(), Shape::kQueries), step.heads.kv_heads);
  Launch(SuffixKernel<Shape>, grid, Shape::kThreads, Shape::kSharedBytes, stream, step, plan);
}

}  // namespace

size_t GridScratchBytes(const GridStep& step) {
  Plan plan;
  return MakePlan(step, nullptr, plan);
}

void Grid(const GridStep& step, void* scratch, float* out, const GridSeen& seen,
          cudaStream_t stream) {
  if (step.rows == 0) return;
  Plan plan;
  MakePlan(step, static_cast<uint8_t*>(scratch), plan);
  if (step.tokens > 0) {
    const int lists = step.sets * step.heads.kv_heads;
    Launch(CountKernel, Blocks(lists, kCountThreads / kWarp), kCountThreads, 0, stream, step, plan);
    Launch(PlanKernel, step.heads.kv_heads, kPlanThreads, 0, stream, step, plan);
  }
  ForHeadDim(step.heads.dim, [&]<int kDim>() {
    if (step.tokens > 0) AttendToContext<kDim>(step, plan, stream);
    AttendToSuffix<kDim>(step, plan, stream);
  });
  const auto queries = static_cast<unsigned>(step.rows * step.heads.q_heads);
  Launch(CombineKernel, queries, kCombineThreads, 0, stream, step, plan, out, seen);
}

}  // namespace kvscope::inference::cuda
