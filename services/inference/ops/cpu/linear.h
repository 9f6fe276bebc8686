// Matrix products of the cpu backend, by oneDNN. This folder's linear.cc alone speaks its API.
#pragma once

#include <memory>

#include "services/inference/ops/ops.h"

namespace kvscope::inference::cpu {

// Keeps one oneDNN primitive for each (rows, in, out, dtype) and the padded copies they need. Rows
// are rounded up to a few sizes, so that few primitives are made as a batch shrinks.
class LinearEngine {
 public:
  LinearEngine();
  ~LinearEngine();
  std::unique_ptr<PackedLinear> Pack(const Tensor& weight, const Tensor& bias, DType compute);
  void Run(const PackedLinear& linear, const Tensor& x, const Tensor& y);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Rows of the primitive that computes `rows` rows; `rows` in [1, kMaxLinearRows].
inline constexpr int64_t kMaxLinearRows = 1024;
int64_t RoundUpRows(int64_t rows);

}  // namespace kvscope::inference::cpu
