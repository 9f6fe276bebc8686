#include "services/inference/engine/suffix_run.h"

#include <algorithm>
#include <cmath>

#include "services/inference/flow/keep_set.h"
#include "services/inference/scorers/product.h"

namespace kvscope::inference {
namespace {

// Rows of one head of x [rows, heads, head_dim].
MatrixView HeadRows(const float* x, int64_t first, int64_t count, int64_t heads, int64_t head,
                    int64_t head_dim) {
  return MatrixView(x + (first * heads + head) * head_dim, count, head_dim,
                    Eigen::OuterStride<>(heads * head_dim));
}

}  // namespace

SuffixRun::SuffixRun(const Decoder& decoder, const KvCache& context,
                     std::span<const std::span<const int32_t>> suffixes, Workspace& workspace)
    : decoder_(decoder), ops_(decoder.ops()), context_(context), ws_(workspace) {
  const ModelConfig& config = decoder.config();
  size_t longest = 0;
  for (size_t slot = 0; slot < suffixes.size(); ++slot) {
    longest = std::max(longest, suffixes[slot].size());
    first_row_.push_back(static_cast<int64_t>(ids_.size()));
    for (size_t i = 0; i < suffixes[slot].size(); ++i) {
      ids_.push_back(suffixes[slot][i]);
      slots_.push_back(static_cast<int32_t>(slot));
      offsets_.push_back(static_cast<int32_t>(i));
      lengths_.push_back(static_cast<int32_t>(i) + 1);
      positions_.push_back(static_cast<int32_t>(context.tokens + static_cast<int64_t>(i)));
    }
  }
  sets_.assign(ids_.size(), 0);
  suffixes_ = KvCache::Suffixes(ops_, 1, static_cast<int64_t>(suffixes.size()), config.kv_heads,
                                static_cast<int64_t>(longest), config.head_dim);
  const KeepSet all = KeepSet::Everything(1, config.kv_heads, static_cast<int>(context.tokens));
  keep_ = ops_.Allocate(DType::kUInt64, {1, config.kv_heads, all.words()});
  ops_.ToDevice(all.layer(0).data(), keep_);
  kept_.assign(static_cast<size_t>(config.kv_heads), static_cast<int32_t>(context.tokens));
  ws_.Resize(static_cast<int64_t>(ids_.size()));
  decoder.Embed(ids_, ws_.x);
}

const float* SuffixRun::OnHost(const Tensor& tensor, Tensor& copy) {
  if (ops_.uses_host_memory()) return tensor.f32();
  if (copy.empty()) copy = AllocateHost(tensor.dtype(), tensor.shape());
  ops_.ToHost(tensor, copy.data());
  return copy.f32();
}

void SuffixRun::Begin(int layer) {
  layer_ = layer;
  decoder_.Qkv(layer, positions_, ws_);
  queries_ = OnHost(ws_.q, queries_copy_);
  keys_ = OnHost(ws_.k, keys_copy_);
  context_keys_ = OnHost(context_.keys(layer), context_copy_);
}

void SuffixRun::Finish() {
  ops_.StoreKv(ws_.k, slots_, offsets_, suffixes_.keys(0));
  ops_.StoreKv(ws_.v, slots_, offsets_, suffixes_.values(0));
  ops_.Grid({.q = ws_.q,
             .k = context_.keys(layer_),
             .v = context_.values(layer_),
             .tokens = context_.tokens,
             .keep = keep_,
             .kept = kept_,
             .row_set = sets_,
             .suffix_k = suffixes_.keys(0),
             .suffix_v = suffixes_.values(0),
             .row_slot = slots_,
             .row_suffix_length = lengths_,
             .row_capture = {},
             .spans = {}},
            ws_.attention, {});
  decoder_.Finish(layer_, ws_);
}

RowMatrix SuffixRun::Logits(size_t slot, int64_t begin, int64_t end, int head) const {
  const ModelConfig& config = decoder_.config();
  const int64_t dim = config.head_dim, kv_head = head / (config.q_heads / config.kv_heads);
  const int64_t first = first_row_[slot];
  const RowMatrix queries =
      HeadRows(queries_, first + begin, end - begin, config.q_heads, head, dim) /
      std::sqrt(static_cast<float>(dim));
  const MatrixView context(context_keys_ + kv_head * context_.capacity() * dim, context_.tokens,
                           dim, Eigen::OuterStride<>(dim));
  RowMatrix logits(end - begin, context_.tokens + end);
  logits.leftCols(context_.tokens) = TimesTransposed(queries, context);
  logits.rightCols(end) =
      TimesTransposed(queries, HeadRows(keys_, first, end, config.kv_heads, kv_head, dim));
  return logits;
}

}  // namespace kvscope::inference
