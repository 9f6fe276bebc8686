#include "services/inference/flow/capture.h"

#include <cassert>

namespace kvscope::inference {
namespace {

MatrixView HeadRows(const float* data, int64_t offset, int rows, int columns, int64_t stride) {
  assert(data != nullptr);  // the scorer's `needs` must name what it reads
  return MatrixView(data + offset, rows, columns, Eigen::OuterStride<>(stride));
}

}  // namespace

MatrixView LayerView::keys(int kv_head) const {
  assert(0 <= kv_head && kv_head < kv_heads);
  return HeadRows(keys_data, kv_head * capacity * head_dim, tokens, head_dim, head_dim);
}

MatrixView LayerView::values(int kv_head) const {
  assert(0 <= kv_head && kv_head < kv_heads);
  return HeadRows(values_data, kv_head * capacity * head_dim, tokens, head_dim, head_dim);
}

MatrixView LayerView::queries(int q_head) const {
  assert(0 <= q_head && q_head < q_heads);
  const int64_t stride = int64_t{q_heads} * head_dim;
  return HeadRows(queries_data, int64_t{q_head} * head_dim, tokens, head_dim, stride);
}

LayerView LayerView::Slice(int begin, int end) const {
  assert(0 <= begin && begin <= end && end <= tokens);
  LayerView slice = *this;
  slice.tokens = end - begin;
  slice.first_token += begin;
  if (keys_data) slice.keys_data += int64_t{begin} * head_dim;
  if (values_data) slice.values_data += int64_t{begin} * head_dim;
  if (queries_data) slice.queries_data += int64_t{begin} * q_heads * head_dim;
  return slice;
}

}  // namespace kvscope::inference
