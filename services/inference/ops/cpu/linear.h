// Matrix products of the cpu backend, by oneDNN or by our own kernels (panels.h), whichever is the
// faster. This folder's linear.cc alone speaks oneDNN's API.
#pragma once

#include <memory>

#include "services/inference/ops/ops.h"

namespace kvscope::inference::cpu {

// Keeps a oneDNN primitive for each size, dtype and number of threads, and the padded copies they
// need. Rows are rounded up to a few sizes, so that few primitives are made as a batch shrinks.
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
