// What prefill shows a scorer: one layer, right after its attention has run, on the host.
#pragma once

#include <Eigen/Core>
#include <cstdint>
#include <vector>

namespace kvscope::inference {

using RowMatrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using MatrixView = Eigen::Map<const RowMatrix, 0, Eigen::OuterStride<>>;

// RoPE of the model: the angle of pair i at position p is p · inv_freq[i]; cos and sin are times
// `scale`.
struct RopeParameters {
  std::vector<float> inv_freq;  // [head_dim / 2]
  float scale = 1.0f;
};

// What a scorer reads; the capture of a run is the union over its scorers.
struct Needs {
  bool keys = false;
  bool values = false;
  bool queries = false;
};

// One layer of one prompt; float32, row-major; a non-owning view that is valid during the call
// only. `Slice` shows tokens [begin, end) as if they were the whole context; `first_token` and
// `sequence_tokens` still say where they stand in the prompt.
struct LayerView {
  int layer = 0;
  int layers = 0;
  int tokens = 0;           // in this view
  int first_token = 0;      // position of the view's first token in the prompt
  int sequence_tokens = 0;  // of the whole prompt
  int q_heads = 0;
  int kv_heads = 0;
  int head_dim = 0;
  const float* keys_data = nullptr;     // [kv_heads, capacity, head_dim], after RoPE
  const float* values_data = nullptr;   // [kv_heads, capacity, head_dim]
  const float* queries_data = nullptr;  // [tokens, q_heads, head_dim], BEFORE RoPE (after bias and
                                        // q_norm)
  int64_t capacity = 0;                 // tokens between two heads of keys and values
  const RopeParameters* rope = nullptr;

  // Query heads that share one KV head; that of query head q is q / group().
  int group() const { return q_heads / kv_heads; }

  MatrixView keys(int kv_head) const;    // [tokens, head_dim]
  MatrixView values(int kv_head) const;  // [tokens, head_dim]
  MatrixView queries(int q_head) const;  // [tokens, head_dim]
  LayerView Slice(int begin, int end) const;
};

}  // namespace kvscope::inference
