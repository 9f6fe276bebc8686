// Row loops of the attention: softmax over a row of scores, scaled rows.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "services/inference/ops/cpu/kernels.h"

namespace kvscope::inference::cpu {

constexpr float kNever = -std::numeric_limits<float>::infinity();  // the score of a masked token

inline int64_t Tiles(int64_t tokens) { return (tokens + kPanel - 1) / kPanel; }

// Rows of a block when `group` query heads share a KV head: about 32 queries, so that queries and
// scores stay in the second-level cache.
inline int64_t BlockRows(int64_t group) { return std::max<int64_t>(1, 32 / group); }

inline float Dot(const float* a, const float* b, int64_t n) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

inline float Max(const float* x, int64_t n) {
  float max = kNever;
#pragma omp simd reduction(max : max)
  for (int64_t i = 0; i < n; ++i) max = x[i] > max ? x[i] : max;
  return max;
}

// x = e^(x - max); returns the sum.
inline float ExpSum(float* x, int64_t n, float max) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < n; ++i) {
    x[i] = Exp(x[i] - max);
    sum += x[i];
  }
  return sum;
}

inline void Scale(float* to, const float* from, float factor, int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) to[i] = factor * from[i];
}

}  // namespace kvscope::inference::cpu
