// Products with weights in panels of 64 columns, by kernels of our own, where they beat the
// library:
//
// - a few rows (decoding): the weights are read once, at the speed of memory;
// - rows that the library would pad to whole tiles;
// - any number of rows with bfloat16 weights on a processor whose bfloat16 instructions are slower
//   than its float32 ones: the weights stay two bytes in memory and are widened a piece at a time.
#pragma once

#include <cstdint>

#include "services/inference/tensor/tensor.h"

namespace kvscope::inference::cpu {

// Weights [in, out]: [panels, inputs, 64] float32, or bfloat16 with pairs of inputs side by side,
// [panels, inputs / 2, 64, 2]. Inputs are padded with zero weights to `inputs`, columns to whole
// panels. These are also the library's layouts for AVX-512.
struct WeightPanels {
  const void* data = nullptr;
  int64_t inputs = 0;
  bool bfloat16 = false;
};

// Panels of weight [out, in] bfloat16; `memory` holds them.
WeightPanels PackPanels(const Tensor& weight, Tensor& memory);

// Rows up to which NarrowProduct is the faster one.
inline constexpr int64_t kNarrowRows = 8;

// y[rows, out] = x[rows, weights.inputs] · weights + bias; bias: [out] or null. Every element sums
// over its inputs in ascending order in float32, whatever `rows` is: both give the same bits.
void NarrowProduct(const float* x, int64_t rows, const WeightPanels& weights, const float* bias,
                   int64_t out, float* y);
// Inputs that WideProduct reads as one block: x is [blocks, rows, kDepth], the last block narrower,
// so that what meets a piece of the weights lies close together.
inline constexpr int64_t kDepth = 256;
// The same for many rows.
void WideProduct(const float* x, int64_t rows, const WeightPanels& weights, const float* bias,
                 int64_t out, float* y);

}  // namespace kvscope::inference::cpu
