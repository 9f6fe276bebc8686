#include "services/inference/models/workspace.h"

#include <algorithm>
#include <utility>

namespace kvscope::inference {

Tensor Workspace::View(Tensor& memory, std::vector<int64_t> shape) {
  int64_t size = 1;
  for (const int64_t dim : shape) size *= dim;
  if (memory.empty() || memory.size() < size) {
    memory = Tensor();  // freed before its successor is made, unless a view is left
    memory = ops_.Allocate(DType::kFloat32, {size});
  }
  return memory.Reshaped(std::move(shape));
}

void Workspace::Resize(int64_t rows) {
  x = View(x_, {rows, config_.hidden_size});
  q_before_rope = Tensor();
  ResizeParts(rows);
}

void Workspace::Borrow(const Tensor& borrowed_x, const Tensor& borrowed_q) {
  x = borrowed_x;
  q_before_rope = borrowed_q;
  ResizeParts(x.dim(0));
}

void Workspace::ResizeParts(int64_t rows) {
  if (rows == rows_) return;
  rows_ = -1;  // until all is there: memory may be short
  q = k = v = attention = normed = fused = act = proj = Tensor();
  const int64_t piece = std::min(rows, kPieceRows);
  const int64_t q_heads = config_.q_heads, kv_heads = config_.kv_heads, dim = config_.head_dim;
  const int64_t hidden = config_.hidden_size, inner = config_.intermediate_size;
  q = View(q_, {rows, q_heads, dim});
  k = View(k_, {rows, kv_heads, dim});
  v = View(v_, {rows, kv_heads, dim});
  attention = View(attention_, {rows, q_heads, dim});
  normed = View(normed_, {piece, hidden});
  fused = View(fused_, {piece, std::max(2 * inner, (q_heads + 2 * kv_heads) * dim)});
  act = View(act_, {piece, inner});
  proj = View(proj_, {piece, hidden});
  rows_ = rows;
}

void Workspace::Clear() {
  for (Tensor* tensor :
       {&x,          &q,       &q_before_rope, &k,        &v,       &attention, &normed,
        &fused,      &act,     &proj,          &x_,       &q_,      &k_,        &v_,
        &attention_, &normed_, &fused_,        &act_,     &proj_,   &residual_, &queries_,
        &hidden_,    &logits_, &shared_kv_,    &spare_x_, &spare_q_}) {
    *tensor = Tensor();
  }
  rows_ = -1;
}

void Workspace::Select(std::span<const int32_t> rows) {
  const auto count = static_cast<int64_t>(rows.size());
  const int64_t q_width = int64_t{config_.q_heads} * config_.head_dim;
  ops_.Rows(x, rows, View(spare_x_, {count, config_.hidden_size}));
  ops_.Rows(q.Reshaped({rows_, q_width}), rows, View(spare_q_, {count, q_width}));
  std::swap(x_, spare_x_);
  std::swap(q_, spare_q_);
  rows_ = -1;  // q_ is another
  Resize(count);
}

Tensor Workspace::Residual(int64_t count) {
  x = Tensor();  // it may be borrowed from here
  return View(residual_, {count, config_.hidden_size});
}
Tensor Workspace::Queries(int64_t count) {
  q_before_rope = Tensor();
  return View(queries_, {count, config_.q_heads, config_.head_dim});
}
Tensor Workspace::Hidden(int64_t count) { return View(hidden_, {count, config_.hidden_size}); }
Tensor Workspace::Logits(int64_t count) { return View(logits_, {count, config_.vocab_size}); }
Tensor Workspace::SharedKv(int64_t count) {
  return View(shared_kv_, {count, config_.kv_heads, config_.head_dim});
}

}  // namespace kvscope::inference
