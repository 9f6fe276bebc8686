// Products of a few rows: weights are read once, at the speed of memory, where a general product
// spends longer on arranging its tiles.
#pragma once

#include <cstdint>

namespace kvscope::inference::cpu {

// Weights [in, out] as panels of 64 columns: [panels, inputs, 64] float32, or bfloat16 with pairs
// of inputs side by side: [panels, inputs / 2, 64, 2]. Inputs are padded with zero weights to
// `inputs`, columns to whole panels.
struct WeightPanels {
  const void* data = nullptr;
  int64_t inputs = 0;
  bool bfloat16 = false;
};

// Whether this build has the kernels (AVX-512, for bfloat16 its extension too).
bool HasNarrowProduct(bool bfloat16);
// Rows up to which it is worth while.
inline constexpr int64_t kNarrowRows = 8;

// y[rows, out] = x · weights + bias. x: [rows, inputs] float32, or bfloat16 where the weights are,
// its padding zero; bias: [out] or null. Every row sums over its inputs in ascending order (pairs
// of them in bfloat16), whatever `rows` is.
void NarrowProduct(const void* x, int64_t rows, const WeightPanels& weights, const float* bias,
                   int64_t out, float* y);

}  // namespace kvscope::inference::cpu
