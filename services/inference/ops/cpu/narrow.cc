#include "services/inference/ops/cpu/narrow.h"

#include <algorithm>
#include <cstring>

#include "services/inference/ops/cpu/kernels.h"

namespace kvscope::inference::cpu {

#if defined(__AVX512BF16__)
bool HasNarrowProduct(bool) { return true; }
#elif defined(__AVX512F__)
bool HasNarrowProduct(bool bfloat16) { return !bfloat16; }
#else
bool HasNarrowProduct(bool) { return false; }
#endif

#if defined(__AVX512F__)
namespace {

constexpr int kMaxRows = 4;                 // kMaxRows · 4 sums stay in registers
constexpr int64_t kPanelBytesAhead = 4096;  // of the prefetch: past the end of a page

// What one step over the inputs multiplies: a float, or a pair of bfloat16.
struct Float32 {
  using Input = float;
  static constexpr int64_t kInputs = 1;
  static __m512 MultiplyAdd(__m512 sum, Input x, const float* weights) {
    return _mm512_fmadd_ps(_mm512_set1_ps(x), _mm512_loadu_ps(weights), sum);
  }
};
#if defined(__AVX512BF16__)
struct BFloat16Pair {
  using Input = int32_t;
  static constexpr int64_t kInputs = 2;
  static __m512 MultiplyAdd(__m512 sum, Input x, const float* weights) {
    return _mm512_dpbf16_ps(sum, (__m512bh)_mm512_set1_epi32(x),
                            (__m512bh)_mm512_loadu_ps(weights));
  }
};
#endif

// sums[R, 64] of one panel; x: [R, steps].
template <typename Kind, int R>
void Panel(const typename Kind::Input* x, int64_t steps, const float* panel, float* sums) {
  __m512 sum[R][4];
  for (int r = 0; r < R; ++r) {
    for (__m512& part : sum[r]) part = _mm512_setzero_ps();
  }
  for (int64_t step = 0; step < steps; ++step) {
    const float* weights = panel + step * kPanel;
    for (int line = 0; line < 4; ++line) {
      _mm_prefetch(reinterpret_cast<const char*>(weights + line * 16) + kPanelBytesAhead,
                   _MM_HINT_T0);
    }
    for (int r = 0; r < R; ++r) {
      for (int v = 0; v < 4; ++v) {
        sum[r][v] = Kind::MultiplyAdd(sum[r][v], x[r * steps + step], weights + v * 16);
      }
    }
  }
  for (int r = 0; r < R; ++r) {
    for (int v = 0; v < 4; ++v) _mm512_storeu_ps(sums + r * kPanel + v * 16, sum[r][v]);
  }
}

template <typename Kind>
void Product(const void* x, int64_t rows, const WeightPanels& weights, const float* bias,
             int64_t out, float* y) {
  const int64_t steps = weights.inputs / Kind::kInputs, panels = (out + kPanel - 1) / kPanel;
  const auto* inputs = static_cast<const typename Kind::Input*>(x);
#pragma omp parallel for schedule(static) if (Parallel(2 * rows * weights.inputs * out))
  for (int64_t p = 0; p < panels; ++p) {
    const float* panel = static_cast<const float*>(weights.data) + p * steps * kPanel;
    const int64_t width = std::min(kPanel, out - p * kPanel);
    float sums[kMaxRows * kPanel];
    for (int64_t first = 0; first < rows; first += kMaxRows) {
      const int64_t count = std::min<int64_t>(kMaxRows, rows - first);
      const auto* block = inputs + first * steps;
      if (count == 1) Panel<Kind, 1>(block, steps, panel, sums);
      if (count == 2) Panel<Kind, 2>(block, steps, panel, sums);
      if (count == 3) Panel<Kind, 3>(block, steps, panel, sums);
      if (count == 4) Panel<Kind, 4>(block, steps, panel, sums);
      for (int64_t r = 0; r < count; ++r) {
        float* to = y + (first + r) * out + p * kPanel;
        for (int64_t i = 0; i < width; ++i) {
          to[i] = sums[r * kPanel + i] + (bias == nullptr ? 0.0f : bias[p * kPanel + i]);
        }
      }
    }
  }
}

}  // namespace

void NarrowProduct(const void* x, int64_t rows, const WeightPanels& weights, const float* bias,
                   int64_t out, float* y) {
#if defined(__AVX512BF16__)
  if (weights.bfloat16) return Product<BFloat16Pair>(x, rows, weights, bias, out, y);
#endif
  Product<Float32>(x, rows, weights, bias, out, y);
}

#else

void NarrowProduct(const void*, int64_t, const WeightPanels&, const float*, int64_t, float*) {}

#endif

}  // namespace kvscope::inference::cpu
