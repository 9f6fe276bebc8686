// Attention of the cpu backend: blocks of query rows against panels of 64 tokens.
#pragma once

#include <cstdint>
#include <vector>

#include "services/inference/ops/ops.h"

namespace kvscope::inference::cpu {

// Memory that only grows, aligned to 64 bytes; its content does not outlive a call.
class Scratch {
 public:
  float* Floats(int64_t count);

 private:
  Tensor memory_;
};

// What one thread needs to work on a block of query rows.
struct BlockScratch {
  Scratch queries, scores, suffix, out, panel, values;
  std::vector<float> sums;    // softmax denominators of the block's queries
  std::vector<float> maxima;  // the largest scores that those are relative to
  std::vector<int32_t> kept;  // tokens of a gathered keep set
};

// Keys as panels: the transposes [dim, 64] of 64 tokens each, [kv_heads, tiles, dim, 64].
class KeyPanels {
 public:
  // k: [kv_heads, capacity, dim]; only heads with `wanted` are packed.
  void Pack(const Tensor& k, int64_t tokens, const std::vector<char>& wanted);
  const float* panel(int64_t kv_head, int64_t tile) const {
    return data_ + (kv_head * tiles_ + tile) * stride_;
  }

 private:
  Scratch memory_;
  float* data_ = nullptr;
  int64_t tiles_ = 0, stride_ = 0;
};

// Query rows of one KV head that are computed together.
struct GridBlock {
  int64_t kv_head;
  std::vector<int32_t> rows;
  bool gather;  // all rows have one keep set, whose tokens are gathered
};

// Scores and values are both register-blocked products. A causal block holds the scores of a
// segment of tokens, a block of a grid those of all it sees ([block, tokens]).
class Attention {
 public:
  void Causal(const Tensor& q, const Tensor& k, const Tensor& v, int64_t first, const Tensor& out,
              const Tensor& weights);
  // Rows whose keep set holds at most half of the tokens gather those; the others share the panels
  // of all tokens and mask. The choice depends on the keep set alone.
  void Grid(const GridAttention& args, const Tensor& out, const GridCapture& capture);

 private:
  void CausalBlock(const Tensor& q, const Tensor& v, int64_t first, int64_t kv_head, int64_t begin,
                   int64_t end, const Tensor& out, const Tensor& weights,
                   BlockScratch& scratch) const;

  KeyPanels panels_;
  std::vector<BlockScratch> threads_;
};

}  // namespace kvscope::inference::cpu
