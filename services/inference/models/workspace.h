// Workspace: the activations of a step, reused from step to step.
#pragma once

#include <cstdint>
#include <span>

#include "services/inference/checkpoint/config.h"
#include "services/inference/flow/cost.h"
#include "services/inference/ops/ops.h"

namespace kvscope::inference {

// Tensors are views in the backend's memory, which is kept from step to step; float32.
class Workspace {
 public:
  // Rows of the widest parts (norms, fused products, MLP), which run in pieces of so many rows.
  static constexpr int64_t kPieceRows = 1024;

  Workspace(Ops& ops, const ModelConfig& config) : ops_(ops), config_(config) {}

  // Holds nothing, as when it was made; `products` stay.
  void Clear();

  // Shapes everything below for a step of `rows` rows; contents are lost.
  void Resize(int64_t rows);
  // The same for a step whose rows the caller keeps: `x` [rows, hidden] is worked on in place,
  // `q_before_rope` [rows, q_heads, head_dim] is filled unless it is empty.
  void Borrow(const Tensor& x, const Tensor& q_before_rope);
  // Goes on with the given rows of x and q only; the contents of everything else are lost.
  void Select(std::span<const int32_t> rows);
  int64_t rows() const { return rows_; }

  Tensor x;                         // [rows, hidden], the residual stream
  Tensor q;                         // [rows, q_heads, head_dim], after RoPE
  Tensor q_before_rope;             // the same before RoPE; empty unless borrowed
  Tensor k, v;                      // [rows, kv_heads, head_dim], keys after RoPE
  Tensor attention;                 // [rows, q_heads, head_dim], filled by the caller
  Tensor normed, fused, act, proj;  // [piece, hidden], [piece, ...], [piece, intermediate], ...

  ProductCost products;  // all that were made with this workspace; only grows

  // Memory of its own, whatever the step's rows.
  Tensor Residual(int64_t count);  // [count, hidden]
  Tensor Queries(int64_t count);   // [count, q_heads, head_dim]
  Tensor Hidden(int64_t count);    // [count, hidden]
  Tensor Logits(int64_t count);    // [count, vocab]
  Tensor SharedKv(int64_t count);  // [count, kv_heads, head_dim]

 private:
  Tensor View(Tensor& memory, std::vector<int64_t> shape);
  void ResizeParts(int64_t rows);  // all but x and q_before_rope

  Ops& ops_;
  ModelConfig config_;
  int64_t rows_ = -1;
  Tensor x_, q_, k_, v_, attention_, normed_, fused_, act_, proj_;
  Tensor residual_, queries_, hidden_, logits_, shared_kv_;
  Tensor spare_x_, spare_q_;  // Select gathers into these
};

}  // namespace kvscope::inference
