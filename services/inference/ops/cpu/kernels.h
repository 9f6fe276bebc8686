// The inner loops of the cpu backend: a register-blocked product, a transposed panel, exp.
#pragma once

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>

namespace kvscope::inference::cpu {

#if defined(__AVX512F__)
constexpr int kLanes = 16, kVectors = 4;
#elif defined(__AVX__)
constexpr int kLanes = 8, kVectors = 2;
#else
constexpr int kLanes = 4, kVectors = 2;
#endif
constexpr int kTileRows = 4;    // kTileRows · kVectors accumulators stay in registers
constexpr int64_t kPanel = 64;  // tokens of a panel: one word of a keep set

using Vec [[gnu::vector_size(kLanes * sizeof(float))]] = float;

inline Vec Load(const float* from) {
  Vec v;
  std::memcpy(&v, from, sizeof v);
  return v;
}
inline void Store(float* to, const Vec& v) { std::memcpy(to, &v, sizeof v); }

// The nearest bfloat16 number in the upper half, ties to even; NaN stays NaN. Inline, so that loops
// over it become vector code.
inline uint32_t BFloat16Bits(uint32_t bits) {
  const uint32_t rounded = bits + (0x7fffu + ((bits >> 16) & 1u));
  return ((bits & 0x7fffffffu) > 0x7f800000u ? bits | 0x400000u : rounded) & 0xffff0000u;
}

// Whether work of so many floating-point operations is worth more than one thread: below about 30
// microseconds threads only wait for each other, and on a busy machine for their turn.
inline bool Parallel(int64_t operations) { return operations > 4'000'000; }

// c[R, V · kLanes] (+)= a[R, k] · b[k, V · kLanes]. Every element sums over k in ascending order,
// whatever R and V are.
template <int R, int V>
inline void Tile(const float* a, int64_t lda, const float* b, int64_t ldb, float* c, int64_t ldc,
                 int64_t k, bool accumulate) {
  Vec sum[R][V];
  for (int r = 0; r < R; ++r) {
    for (int v = 0; v < V; ++v) {
      sum[r][v] = accumulate ? Load(c + r * ldc + v * kLanes) : Vec{};
    }
  }
  for (int64_t i = 0; i < k; ++i) {
    Vec row[V];
    for (int v = 0; v < V; ++v) row[v] = Load(b + i * ldb + v * kLanes);
    for (int r = 0; r < R; ++r) {
      for (int v = 0; v < V; ++v) sum[r][v] += a[r * lda + i] * row[v];
    }
  }
  for (int r = 0; r < R; ++r) {
    for (int v = 0; v < V; ++v) Store(c + r * ldc + v * kLanes, sum[r][v]);
  }
}

template <int V>
inline void TileRows(const float* a, int64_t lda, const float* b, int64_t ldb, float* c,
                     int64_t ldc, int64_t rows, int64_t k, bool accumulate) {
  int64_t r = 0;
  for (; r + kTileRows <= rows; r += kTileRows) {
    Tile<kTileRows, V>(a + r * lda, lda, b, ldb, c + r * ldc, ldc, k, accumulate);
  }
  static_assert(kTileRows == 4);
  switch (rows - r) {
    case 3:
      return Tile<3, V>(a + r * lda, lda, b, ldb, c + r * ldc, ldc, k, accumulate);
    case 2:
      return Tile<2, V>(a + r * lda, lda, b, ldb, c + r * ldc, ldc, k, accumulate);
    case 1:
      return Tile<1, V>(a + r * lda, lda, b, ldb, c + r * ldc, ldc, k, accumulate);
  }
}

// c[rows, columns] (+)= a[rows, k] · b[k, columns], row-major with the given strides.
inline void Product(const float* a, int64_t lda, const float* b, int64_t ldb, float* c, int64_t ldc,
                    int64_t rows, int64_t columns, int64_t k, bool accumulate) {
  int64_t n = 0;
  for (; n + kVectors * kLanes <= columns; n += kVectors * kLanes) {
    TileRows<kVectors>(a, lda, b + n, ldb, c + n, ldc, rows, k, accumulate);
  }
  for (; n + 2 * kLanes <= columns; n += 2 * kLanes) {
    TileRows<2>(a, lda, b + n, ldb, c + n, ldc, rows, k, accumulate);
  }
  for (; n + kLanes <= columns; n += kLanes) {
    TileRows<1>(a, lda, b + n, ldb, c + n, ldc, rows, k, accumulate);
  }
  for (; n < columns; ++n) {
    for (int64_t r = 0; r < rows; ++r) {
      float sum = accumulate ? c[r * ldc + n] : 0.0f;
      for (int64_t i = 0; i < k; ++i) sum += a[r * lda + i] * b[i * ldb + n];
      c[r * ldc + n] = sum;
    }
  }
}

// Folds the lanes to one number, always in the same order.
template <typename Fold>
inline float FoldLanes(const Vec& v, const Fold& fold) {
  using Four [[gnu::vector_size(16)]] = float;
  Four part[kLanes / 4];
  std::memcpy(part, &v, sizeof v);
  for (int width = kLanes / 8; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) part[i] = fold(part[i], part[i + width]);
  }
  return fold(fold(part[0][0], part[0][2]), fold(part[0][1], part[0][3]));
}
inline float LaneSum(const Vec& v) {
  return FoldLanes(v, [](const auto& a, const auto& b) { return a + b; });
}
inline float LaneMax(const Vec& v) {
  return FoldLanes(v, [](const auto& a, const auto& b) { return a > b ? a : b; });
}

// out[r, t] = a[r] · b[t] for r < R and t < count: rows of `dim` numbers against rows of `dim`
// numbers, where transposing b would cost more than it saves. R is small.
template <int R>
inline void DotRows(const float* a, const float* b, int64_t count, int64_t dim, float* out,
                    int64_t ldo) {
  const int64_t whole = dim / kLanes * kLanes;
  for (int64_t t = 0; t < count; ++t) {
    Vec sum[R] = {};
    for (int64_t i = 0; i < whole; i += kLanes) {
      const Vec row = Load(b + t * dim + i);
      for (int r = 0; r < R; ++r) sum[r] += Load(a + r * dim + i) * row;
    }
    for (int r = 0; r < R; ++r) {
      float total = LaneSum(sum[r]);
      for (int64_t i = whole; i < dim; ++i) total += a[r * dim + i] * b[t * dim + i];
      out[r * ldo + t] = total;
    }
  }
}

// x[t] = other where bit t of `word` is 0, for a panel of numbers.
inline void KeepBits(float* x, uint64_t word, float other) {
#if defined(__AVX512F__)
  for (int i = 0; i < kPanel; i += kLanes) {
    const auto bits = static_cast<__mmask16>(word >> i);
    _mm512_storeu_ps(x + i, _mm512_mask_loadu_ps(_mm512_set1_ps(other), bits, x + i));
  }
#else
#pragma omp simd
  for (int64_t t = 0; t < kPanel; ++t) x[t] = (word >> t & 1) != 0 ? x[t] : other;
#endif
}

// panel[dim, kPanel] = the transpose of `count` rows row(0), row(1), ... of `dim` numbers; columns
// past `count` are zero.
template <typename Row>
inline void TransposePanel(const Row& row, int64_t count, int64_t dim, float* panel) {
  using Four [[gnu::vector_size(16)]] = float;
  if (count < kPanel) std::fill_n(panel, dim * kPanel, 0.0f);
  int64_t t = 0;
  for (; t + 4 <= count; t += 4) {
    const float* from[4] = {row(t), row(t + 1), row(t + 2), row(t + 3)};
    int64_t i = 0;
    for (; i + 4 <= dim; i += 4) {
      Four in[4];
      for (int j = 0; j < 4; ++j) std::memcpy(&in[j], from[j] + i, sizeof(Four));
      const Four low01 = __builtin_shufflevector(in[0], in[1], 0, 4, 1, 5);
      const Four low23 = __builtin_shufflevector(in[2], in[3], 0, 4, 1, 5);
      const Four high01 = __builtin_shufflevector(in[0], in[1], 2, 6, 3, 7);
      const Four high23 = __builtin_shufflevector(in[2], in[3], 2, 6, 3, 7);
      const Four out[4] = {__builtin_shufflevector(low01, low23, 0, 1, 4, 5),
                           __builtin_shufflevector(low01, low23, 2, 3, 6, 7),
                           __builtin_shufflevector(high01, high23, 0, 1, 4, 5),
                           __builtin_shufflevector(high01, high23, 2, 3, 6, 7)};
      for (int j = 0; j < 4; ++j) std::memcpy(panel + (i + j) * kPanel + t, &out[j], sizeof(Four));
    }
    for (; i < dim; ++i) {
      for (int j = 0; j < 4; ++j) panel[i * kPanel + t + j] = from[j][i];
    }
  }
  for (; t < count; ++t) {
    for (int64_t i = 0; i < dim; ++i) panel[i * kPanel + t] = row(t)[i];
  }
}

// e^x within 2 units in the last place; 0 below -87.3 (so also for -infinity), and about 2e38 above
// 88.
// Written so that a loop over it becomes vector code: x = n·ln 2 + r, then the series of e^r.
inline float Exp(float x) {
  constexpr float kLow = -87.3f, kHigh = 88.0f;
  constexpr float kRound = 0x1.8p23f;  // adding it leaves the nearest whole number in the low bits
  const float raised = x > kLow ? x : kLow;  // these spellings are single vector instructions
  const float clamped = raised < kHigh ? raised : kHigh;
  const float shifted = clamped * 1.44269504f + kRound;
  const float n = shifted - kRound;
  const float r = (clamped - n * 0.693145752f) - n * 1.42860677e-6f;  // ln 2 in two parts
  float series = 1.0f / 5040;
  series = series * r + 1.0f / 720;
  series = series * r + 1.0f / 120;
  series = series * r + 1.0f / 24;
  series = series * r + 1.0f / 6;
  series = series * r + 0.5f;
  series = series * r + 1.0f;
  series = series * r + 1.0f;
  const uint32_t exponent =
      std::bit_cast<uint32_t>(shifted) - std::bit_cast<uint32_t>(kRound) + 127;
  const float power = std::bit_cast<float>(exponent << 23);
  return x < kLow ? 0.0f : series * power;
}

}  // namespace kvscope::inference::cpu
