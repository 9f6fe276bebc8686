// SuffixRun: several suffixes over one whole context, layer by layer, their attention logits open
// to be looked at.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "services/inference/flow/capture.h"
#include "services/inference/flow/kv_cache.h"
#include "services/inference/models/decoder.h"
#include "services/inference/models/workspace.h"

namespace kvscope::inference {

// Begin(0), Finish(), Begin(1) ... ; each suffix has a slot of its own and does not see the others.
class SuffixRun {
 public:
  // A suffix has at least one token; its first follows the whole context. All of them are one step
  // of the decoder. `workspace` is the decoder's.
  SuffixRun(const Decoder& decoder, const KvCache& context,
            std::span<const std::span<const int32_t>> suffixes, Workspace& workspace);

  int q_heads() const { return decoder_.config().q_heads; }
  int64_t context_tokens() const { return context_.tokens; }

  void Begin(int layer);
  void Finish();  // the layer that has begun

  // Rows [begin, end) of a suffix in the layer that has begun: [end - begin, context_tokens + end]
  // query · key / sqrt(head_dim), over the context's keys, then the suffix's own; row r's own key
  // is the one at context_tokens + begin + r, those behind it are in its future.
  RowMatrix Logits(size_t slot, int64_t begin, int64_t end, int head) const;

 private:
  // What the backend's tensor holds: its own memory where that is the host's, else `copy`'s.
  const float* OnHost(const Tensor& tensor, Tensor& copy);

  const Decoder& decoder_;
  Ops& ops_;
  const KvCache& context_;
  Workspace& ws_;
  KvCache suffixes_;                // of one layer: it is done with when the next begins
  Tensor keep_;                     // everything
  std::vector<int32_t> kept_;       // of each KV head
  std::vector<int64_t> first_row_;  // [slots]
  std::vector<int32_t> ids_, slots_, offsets_, lengths_, positions_, sets_;  // [rows]
  int layer_ = 0;
  Tensor queries_copy_, keys_copy_, context_copy_;
  const float* queries_ = nullptr;       // [rows, q_heads, head_dim], after RoPE
  const float* keys_ = nullptr;          // [rows, kv_heads, head_dim], after RoPE
  const float* context_keys_ = nullptr;  // [kv_heads, capacity, head_dim]
};

}  // namespace kvscope::inference
