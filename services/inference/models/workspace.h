// Workspace: the activations of a step, reused from step to step.
#pragma once

#include <cstdint>
#include <span>

#include "services/inference/checkpoint/config.h"
#include "services/inference/ops/ops.h"

namespace kvscope::inference {

// Tensors are prefix views of memory that only grows, in the backend's memory; float32.
class Workspace {
 public:
  // Rows of the widest parts (norms, fused products, MLP), which run in pieces of so many rows.
  static constexpr int64_t kPieceRows = 1024;

  Workspace(Ops& ops, const ModelConfig& config) : ops_(ops), config_(config) {}

  // Shapes everything below for steps of `rows` rows; contents are lost.
  void Resize(int64_t rows);
  // Goes on with the given rows of x and q only; the contents of everything else are lost.
  void Select(std::span<const int32_t> rows);
  int64_t rows() const { return rows_; }

  Tensor x;                         // [rows, hidden], the residual stream
  Tensor q;                         // [rows, q_heads, head_dim], after RoPE
  Tensor q_before_rope;             // the same before RoPE; empty until UseQueriesBeforeRope
  Tensor k, v;                      // [rows, kv_heads, head_dim], keys after RoPE
  Tensor attention;                 // [rows, q_heads, head_dim], filled by the caller
  Tensor normed, fused, act, proj;  // [piece, hidden], [piece, ...], [piece, intermediate], ...

  // Also keeps the queries before RoPE, from the next Resize on.
  void UseQueriesBeforeRope() { keep_queries_ = true; }
  // [count, hidden] and [count, vocab], of their own memory.
  Tensor Hidden(int64_t count);
  Tensor Logits(int64_t count);
  Tensor SharedKv(int64_t count);  // [count, kv_heads, head_dim]

 private:
  Tensor View(Tensor& memory, std::vector<int64_t> shape);

  Ops& ops_;
  ModelConfig config_;
  int64_t rows_ = -1;
  bool keep_queries_ = false;
  Tensor x_, q_, q_before_rope_, k_, v_, attention_, normed_, fused_, act_, proj_, hidden_, logits_,
      shared_kv_;
  Tensor spare_x_, spare_q_;  // Select gathers into these
};

}  // namespace kvscope::inference
