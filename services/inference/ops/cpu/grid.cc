// Grid attention: blocks of rows that share a KV head, over the shared context and their suffixes.
#include <omp.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

#include "services/inference/ops/cpu/attention.h"
#include "services/inference/ops/cpu/kernels.h"
#include "services/inference/ops/cpu/rows.h"
#include "services/inference/ops/rows_by_set.h"

namespace kvscope::inference::cpu {
namespace {

// Scores of tokens that the keep set lacks become minus infinity.
void MaskScores(float* scores, const uint64_t* keep, int64_t tokens) {
  for (int64_t tile = 0; tile < Tiles(tokens); ++tile) {
    if (keep[tile] == ~uint64_t{0}) continue;
    KeepBits(scores + tile * kPanel, keep[tile], kNever);
  }
}

int64_t FirstBit(const uint64_t* bits, int64_t words) {
  for (int64_t w = 0; w < words; ++w) {
    if (bits[w] != 0) return w * 64 + std::countr_zero(bits[w]);
  }
  return -1;
}

void ListKept(const uint64_t* keep, int64_t words, std::vector<int32_t>& kept) {
  kept.clear();
  for (int64_t w = 0; w < words; ++w) {
    for (uint64_t word = keep[w]; word != 0; word &= word - 1) {
      kept.push_back(static_cast<int32_t>(w * 64 + std::countr_zero(word)));
    }
  }
}

// Rows of a block that gathers: more than others, since they share the gathering, as long as their
// scores (about 256 KiB) stay in the cache.
size_t GatheredRows(int64_t group, int64_t kept) {
  const int64_t queries = std::min<int64_t>(256, (1 << 16) / std::max<int64_t>(kept, 1));
  return static_cast<size_t>(std::max(BlockRows(group), queries / group));
}

// Blocks of every KV head: rows with a small keep set by set, all others together.
std::vector<GridBlock> Plan(const GridAttention& args) {
  const int64_t kv_heads = args.k.dim(0), group = args.q.dim(1) / kv_heads;
  const RowsBySet by_set(args.row_set);
  std::vector<GridBlock> blocks;
  const auto cut = [&](int64_t kv_head, std::span<const int32_t> rows, size_t most, bool gather) {
    for (size_t i = 0; i < rows.size(); i += most) {
      const std::span<const int32_t> part = rows.subspan(i, std::min(most, rows.size() - i));
      blocks.push_back({kv_head, {part.begin(), part.end()}, gather});
    }
  };
  std::vector<int32_t> dense;
  for (int64_t head = 0; head < kv_heads; ++head) {
    dense.clear();
    for (const SetRun& run : by_set.runs()) {
      const std::span<const int32_t> rows = by_set.rows(run);
      const int64_t kept = args.kept[static_cast<size_t>(run.set * kv_heads + head)];
      if (2 * kept <= args.tokens) {
        cut(head, rows, GatheredRows(group, kept), true);
      } else {
        dense.insert(dense.end(), rows.begin(), rows.end());
      }
    }
    cut(head, dense, static_cast<size_t>(BlockRows(group)), false);
  }
  return blocks;
}

// One block, step by step: Load → Score → Softmax → Blend → Write.
class BlockRun {
 public:
  BlockRun(const GridAttention& args, const GridBlock& block, const KeyPanels& panels,
           BlockScratch& scratch)
      : args_(args),
        block_(block),
        panels_(panels),
        scratch_(scratch),
        heads_(args.q.dim(1)),
        kv_heads_(args.k.dim(0)),
        group_(heads_ / kv_heads_),
        dim_(args.q.dim(2)),
        words_(args.keep.dim(2)),
        capacity_(args.suffix_k.dim(2)),
        own_width_(WholeVectors(capacity_)),
        queries_(static_cast<int64_t>(block.rows.size()) * group_) {
    if (block.gather) ListKept(keep(0), words_, scratch.kept);
    seen_ = block.gather ? static_cast<int64_t>(scratch.kept.size()) : args.tokens;
    width_ = Tiles(seen_) * kPanel;
    q_ = scratch.queries.Floats(queries_ * dim_);
    scores_ = scratch.scores.Floats(queries_ * width_);
    suffix_ = scratch.suffix.Floats(queries_ * own_width_);
    out_ = scratch.out.Floats(queries_ * dim_);
    scratch.sums.resize(static_cast<size_t>(queries_));
  }

  void Run(const Tensor& out, const GridCapture& capture) {
    Load();
    Score();
    Softmax();
    Blend();
    Write(out, capture);
  }

 private:
  size_t row(int64_t query) const {
    return static_cast<size_t>(block_.rows[static_cast<size_t>(query / group_)]);
  }
  // Of (row, query head) in q, out and the capture.
  int64_t index(int64_t query) const {
    return static_cast<int64_t>(row(query)) * heads_ + block_.kv_head * group_ + query % group_;
  }
  const uint64_t* keep(int64_t query) const {
    return args_.keep.u64() + (args_.row_set[row(query)] * kv_heads_ + block_.kv_head) * words_;
  }
  const float* suffix(const Tensor& cache, int64_t query) const {
    return cache.f32() +
           (args_.row_slot[row(query)] * kv_heads_ + block_.kv_head) * capacity_ * dim_;
  }
  int64_t own(int64_t query) const { return args_.row_suffix_length[row(query)]; }
  const float* context(const Tensor& cache) const {
    return cache.f32() + block_.kv_head * cache.dim(1) * dim_;
  }
  int64_t tile_tokens(int64_t tile) const { return std::min(kPanel, seen_ - tile * kPanel); }

  void Load() {
    const float scale = 1.0f / std::sqrt(static_cast<float>(dim_));
    for (int64_t i = 0; i < queries_; ++i) {
      Scale(q_ + i * dim_, args_.q.f32() + index(i) * dim_, scale, dim_);
    }
  }

  void Score() {
    float* gathered = scratch_.panel.Floats(dim_ * kPanel);
    const float* keys = context(args_.k);
    for (int64_t tile = 0; tile < Tiles(seen_); ++tile) {
      const float* panel = gathered;
      if (block_.gather) {
        const int32_t* kept = scratch_.kept.data() + tile * kPanel;
        TransposePanel([&](int64_t t) { return keys + kept[t] * dim_; }, tile_tokens(tile), dim_,
                       gathered);
      } else {
        panel = panels_.panel(block_.kv_head, tile);
      }
      Product(q_, dim_, panel, kPanel, scores_ + tile * kPanel, width_, queries_, kPanel, dim_,
              false);
    }
    if (!block_.gather) {
      for (int64_t i = 0; i < queries_; ++i) MaskScores(scores_ + i * width_, keep(i), seen_);
    }
    for (int64_t i = 0; i < queries_; i += group_) ScoreSuffix(i);
  }

  // A suffix is read once a step, so it comes from memory: the next row's is asked for early.
  void FetchNext(const Tensor& cache, int64_t first) const {
    const int64_t next = first + group_;
    if (next >= queries_) return;
    const float* from = suffix(cache, next);
    for (int64_t i = 0; i < own(next) * dim_; i += 16) __builtin_prefetch(from + i);
  }

  // The queries of one row share its suffix.
  void ScoreSuffix(int64_t first) {
    FetchNext(args_.suffix_k, first);
    const float* own_keys = suffix(args_.suffix_k, first);
    int64_t i = first;
    for (; i + 4 <= first + group_; i += 4) {
      DotRows<4>(q_ + i * dim_, own_keys, own(i), dim_, suffix_ + i * own_width_, own_width_);
    }
    for (; i + 2 <= first + group_; i += 2) {
      DotRows<2>(q_ + i * dim_, own_keys, own(i), dim_, suffix_ + i * own_width_, own_width_);
    }
    for (; i < first + group_; ++i) {
      DotRows<1>(q_ + i * dim_, own_keys, own(i), dim_, suffix_ + i * own_width_, own_width_);
    }
  }

  // Over context and suffix together; the weights stay unnormalised.
  void Softmax() {
    for (int64_t i = 0; i < queries_; ++i) {
      float* x = scores_ + i * width_;
      float* y = suffix_ + i * own_width_;
      MaskRest(x, seen_);
      MaskRest(y, own(i));
      const float max = std::max(Max(x, seen_), Max(y, own(i)));
      scratch_.sums[static_cast<size_t>(i)] = ExpSum(x, seen_, max) + ExpSum(y, own(i), max);
    }
  }

  void Blend() {
    std::fill_n(out_, queries_ * dim_, 0.0f);
    float* gathered = scratch_.values.Floats(kPanel * dim_);
    const float* values = context(args_.v);
    for (int64_t tile = 0; tile < Tiles(seen_); ++tile) {
      const float* rows = values + tile * kPanel * dim_;
      if (block_.gather) {
        const int32_t* kept = scratch_.kept.data() + tile * kPanel;
        for (int64_t t = 0; t < tile_tokens(tile); ++t) {
          std::copy_n(values + kept[t] * dim_, dim_, gathered + t * dim_);
        }
        rows = gathered;
      }
      Product(scores_ + tile * kPanel, width_, rows, dim_, out_, dim_, queries_, dim_,
              tile_tokens(tile), true);
    }
    for (int64_t i = 0; i < queries_; i += group_) {
      FetchNext(args_.suffix_v, i);
      Product(suffix_ + i * own_width_, own_width_, suffix(args_.suffix_v, i), dim_,
              out_ + i * dim_, dim_, group_, dim_, own(i), true);
    }
  }

  void Write(const Tensor& out, const GridCapture& capture) {
    for (int64_t i = 0; i < queries_; ++i) {
      const float factor = 1.0f / scratch_.sums[static_cast<size_t>(i)];
      Scale(out.f32() + index(i) * dim_, out_ + i * dim_, factor, dim_);
      if (!args_.row_capture.empty() && args_.row_capture[row(i)] >= 0) Watch(i, factor, capture);
    }
  }

  void Watch(int64_t query, float factor, const GridCapture& capture) {
    const float* weights = scores_ + query * width_;  // 0 where masked
    const uint64_t* kept = keep(query);
    const uint64_t* span = args_.spans.data() + args_.row_capture[row(query)] * words_;
    const auto at = static_cast<size_t>(index(query));
    float top_weight = 0;
    const int64_t top = FirstLargest(weights, top_weight);
    if (block_.gather) {
      capture.top_token[at] = top < 0 ? -1 : scratch_.kept[static_cast<size_t>(top)];
    } else {
      capture.top_token[at] = static_cast<int32_t>(top_weight > 0 ? top : FirstBit(kept, words_));
    }
    capture.top_weight[at] = top_weight * factor;

    double mass = 0;
    int64_t before = 0;  // kept tokens in earlier words
    for (int64_t w = 0; w < words_; ++w) {
      for (uint64_t bits = kept[w] & span[w]; bits != 0; bits &= bits - 1) {
        const int bit = std::countr_zero(bits);
        const uint64_t earlier = kept[w] & ((uint64_t{1} << bit) - 1);
        mass += weights[block_.gather ? before + std::popcount(earlier) : w * 64 + bit];
      }
      before += std::popcount(kept[w]);
    }
    capture.answer_mass[at] = static_cast<float>(mass) * factor;
  }

  // The first index of the largest weight, -1 if nothing is seen; a panel is searched only if it
  // holds a larger one than those before.
  int64_t FirstLargest(const float* weights, float& largest) const {
    int64_t first = seen_ > 0 ? 0 : -1;
    for (int64_t tile = 0; tile < Tiles(seen_); ++tile) {
      const float* x = weights + tile * kPanel;
      const float max = Max(x, tile_tokens(tile));
      if (max <= largest) continue;
      largest = max;
      first = tile * kPanel + (std::find(x, x + tile_tokens(tile), max) - x);
    }
    return first;
  }

  const GridAttention& args_;
  const GridBlock& block_;
  const KeyPanels& panels_;
  BlockScratch& scratch_;
  const int64_t heads_, kv_heads_, group_, dim_, words_, capacity_, own_width_, queries_;
  int64_t seen_ = 0;   // context tokens that are scored: the kept ones if gathered, else all
  int64_t width_ = 0;  // of a row of scores: whole panels
  float *q_, *scores_, *suffix_, *out_;
};

}  // namespace

void Attention::Grid(const GridAttention& args, const Tensor& out, const GridCapture& capture) {
  const std::vector<GridBlock> blocks = Plan(args);
  std::vector<char> shared(static_cast<size_t>(args.k.dim(0)), 0);
  for (const GridBlock& block : blocks) {
    if (!block.gather) shared[static_cast<size_t>(block.kv_head)] = 1;
  }
  panels_.Pack(args.k, args.tokens, shared);
  threads_.resize(static_cast<size_t>(omp_get_max_threads()));
#pragma omp parallel for schedule(dynamic) if (Parallel(2 * args.q.size() * args.tokens))
  for (size_t i = 0; i < blocks.size(); ++i) {
    BlockScratch& scratch = threads_[static_cast<size_t>(omp_get_thread_num())];
    BlockRun(args, blocks[i], panels_, scratch).Run(out, capture);
  }
}

}  // namespace kvscope::inference::cpu
