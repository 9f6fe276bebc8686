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

// `count` rounded up to whole vectors.
inline int64_t WholeVectors(int64_t count) { return (count + kLanes - 1) / kLanes * kLanes; }

// Masks x[count ...] up to the end of its last vector. The loops below then need no remainder: they
// run over whole vectors, and what is masked neither wins nor weighs anything.
inline void MaskRest(float* x, int64_t count) {
  std::fill(x + count, x + WholeVectors(count), kNever);
}

// Largest of a masked row.
inline float Max(const float* x, int64_t count) {
  Vec max = Vec{} + kNever;
  for (int64_t i = 0; i < count; i += kLanes) {
    const Vec v = Load(x + i);
    max = v > max ? v : max;
  }
  return LaneMax(max);
}

// A masked row becomes e^(x - max), masked numbers 0; returns the sum.
inline float ExpSum(float* x, int64_t count, float max) {
  Vec sum = {};
  for (int64_t i = 0; i < count; i += kLanes) {
#pragma omp simd
    for (int lane = 0; lane < kLanes; ++lane) x[i + lane] = Exp(x[i + lane] - max);
    sum += Load(x + i);
  }
  return LaneSum(sum);
}

inline void Scale(float* to, const float* from, float factor, int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) to[i] = factor * from[i];
}

}  // namespace kvscope::inference::cpu
