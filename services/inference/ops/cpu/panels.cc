#include "services/inference/ops/cpu/panels.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "services/inference/ops/cpu/kernels.h"

namespace kvscope::inference::cpu {
namespace {

constexpr int64_t kBytesAhead = 4096;  // of the prefetch: past the end of a page
constexpr int64_t kChunkRows = 510;    // rows that meet a piece before the next one is widened
constexpr int kPanelVectors = kPanel / kLanes;

using Bits [[gnu::vector_size(kLanes * sizeof(float))]] = uint32_t;

// The first or the second of each pair of bfloat16 numbers, as float32.
Vec First(const Bits& pairs) { return std::bit_cast<Vec>(pairs << 16); }
Vec Second(const Bits& pairs) { return std::bit_cast<Vec>(pairs & 0xffff0000u); }

Bits LoadPairs(const void* from) {
  Bits bits;
  std::memcpy(&bits, from, sizeof bits);
  return bits;
}

// piece[2 steps, 64] = the widened weights of so many pairs of inputs.
void Widen(const uint32_t* pairs, int64_t steps, float* piece) {
  for (int64_t i = 0; i < steps; ++i) {
    for (int v = 0; v < kPanelVectors; ++v) {
      const Bits bits = LoadPairs(pairs + i * kPanel + v * kLanes);
      Store(piece + 2 * i * kPanel + v * kLanes, First(bits));
      Store(piece + (2 * i + 1) * kPanel + v * kLanes, Second(bits));
    }
  }
}

// c[rows, 64] (+)= a[rows, k] · b[k, 64]: tiles of as many rows as registers hold the sums of.
void PanelRows(const float* a, int64_t lda, const float* b, float* c, int64_t ldc, int64_t rows,
               int64_t k, bool accumulate) {
  constexpr int kRows = kPanelVectors == 4 ? 6 : 1;
  int64_t r = 0;
  for (; r + kRows <= rows; r += kRows) {
    if constexpr (kPanelVectors == 4) {
      Tile<kRows, kPanelVectors>(a + r * lda, lda, b, kPanel, c + r * ldc, ldc, k, accumulate);
    } else {
      break;
    }
  }
  Product(a + r * lda, lda, b, kPanel, c + r * ldc, ldc, rows - r, kPanel, k, accumulate);
}

// sums[R, 64] of one panel; x: [R, inputs].
template <int R>
void NarrowPanel(const float* x, const WeightPanels& weights, const float* panel, float* sums) {
  // At a time: as many as leave about 16 sums, a divisor of the panel's.
  constexpr int kVectors = std::min<int>(kPanelVectors, std::bit_floor(16u / R));
  static_assert(kPanelVectors % kVectors == 0);
  const int64_t inputs = weights.inputs;
  for (int first = 0; first < kPanelVectors; first += kVectors) {
    Vec sum[R][kVectors] = {};
    const auto add = [&](int64_t input, int v, const Vec& column) {
      for (int r = 0; r < R; ++r) sum[r][v] += x[r * inputs + input] * column;
    };
    for (int64_t i = 0; i < inputs; i += weights.bfloat16 ? 2 : 1) {
      const float* line = panel + (weights.bfloat16 ? i / 2 : i) * kPanel + first * kLanes;
      for (int v = 0; v < kVectors; ++v) {
        __builtin_prefetch(line + v * kLanes + kBytesAhead / 4);
        if (weights.bfloat16) {
          const Bits pairs = LoadPairs(line + v * kLanes);
          add(i, v, First(pairs));
          add(i + 1, v, Second(pairs));
        } else {
          add(i, v, Load(line + v * kLanes));
        }
      }
    }
    for (int r = 0; r < R; ++r) {
      for (int v = 0; v < kVectors; ++v) {
        Store(sums + r * kPanel + (first + v) * kLanes, sum[r][v]);
      }
    }
  }
}

}  // namespace

WeightPanels PackPanels(const Tensor& weight, Tensor& memory) {
  const int64_t out = weight.dim(0), in = weight.dim(1);
  const int64_t inputs = (in + 1) / 2 * 2, panels = (out + kPanel - 1) / kPanel;
  memory = AllocateHost(DType::kBFloat16, {panels, inputs / 2, kPanel, 2});
  auto* to = static_cast<uint16_t*>(memory.data());
  const auto* from = static_cast<const uint16_t*>(weight.data());
#pragma omp parallel for schedule(static)
  for (int64_t p = 0; p < panels; ++p) {
    uint16_t* panel = to + p * inputs * kPanel;
    std::fill_n(panel, inputs * kPanel, uint16_t{0});
    for (int64_t column = 0; column < std::min(kPanel, out - p * kPanel); ++column) {
      const uint16_t* row = from + (p * kPanel + column) * in;
      for (int64_t i = 0; i < in; ++i) {
        panel[(i / 2 * kPanel + column) * 2 + i % 2] = row[i];
      }
    }
  }
  return {.data = memory.data(), .inputs = inputs, .bfloat16 = true};
}

void NarrowProduct(const float* x, int64_t rows, const WeightPanels& weights, const float* bias,
                   int64_t out, float* y) {
  const int64_t panels = (out + kPanel - 1) / kPanel;
  const int64_t panel_size = weights.inputs * kPanel / (weights.bfloat16 ? 2 : 1);
#pragma omp parallel for schedule(static) if (Parallel(2 * rows * weights.inputs * out))
  for (int64_t p = 0; p < panels; ++p) {
    const float* panel = static_cast<const float*>(weights.data) + p * panel_size;
    const int64_t width = std::min(kPanel, out - p * kPanel);
    float sums[4 * kPanel];
    for (int64_t first = 0; first < rows; first += 4) {
      const int64_t count = std::min<int64_t>(4, rows - first);
      const float* block = x + first * weights.inputs;
      if (count == 1) NarrowPanel<1>(block, weights, panel, sums);
      if (count == 2) NarrowPanel<2>(block, weights, panel, sums);
      if (count == 3) NarrowPanel<3>(block, weights, panel, sums);
      if (count == 4) NarrowPanel<4>(block, weights, panel, sums);
      for (int64_t r = 0; r < count; ++r) {
        float* to = y + (first + r) * out + p * kPanel;
        for (int64_t i = 0; i < width; ++i) {
          to[i] = sums[r * kPanel + i] + (bias == nullptr ? 0.0f : bias[p * kPanel + i]);
        }
      }
    }
  }
}

void WideProduct(const float* x, int64_t rows, const WeightPanels& weights, const float* bias,
                 int64_t out, float* y) {
  const int64_t inputs = weights.inputs, panels = (out + kPanel - 1) / kPanel;
  const int64_t chunks = (rows + kChunkRows - 1) / kChunkRows;
#pragma omp parallel for schedule(dynamic) if (Parallel(2 * rows * inputs * out))
  for (int64_t task = 0; task < chunks * panels; ++task) {
    alignas(64) float piece[kDepth * kPanel];
    const int64_t p = task % panels, first = task / panels * kChunkRows;
    const int64_t count = std::min(kChunkRows, rows - first);
    const auto* panel =
        static_cast<const float*>(weights.data) + p * inputs * kPanel / (weights.bfloat16 ? 2 : 1);
    const int64_t width = std::min(kPanel, out - p * kPanel);
    float* to = y + first * out + p * kPanel;
    for (int64_t begin = 0; begin < inputs; begin += kDepth) {
      const int64_t depth = std::min(kDepth, inputs - begin);
      const float* block = panel + begin * kPanel;
      if (weights.bfloat16) {
        Widen(reinterpret_cast<const uint32_t*>(panel) + begin / 2 * kPanel, depth / 2, piece);
        block = piece;
      }
      const float* from = x + begin * rows + first * depth;
      if (width == kPanel) {
        PanelRows(from, depth, block, to, out, count, depth, begin > 0);
      } else {
        Product(from, depth, block, kPanel, to, out, count, width, depth, begin > 0);
      }
    }
    if (bias == nullptr) continue;
    for (int64_t r = 0; r < count; ++r) {
      for (int64_t i = 0; i < width; ++i) to[r * out + i] += bias[p * kPanel + i];
    }
  }
}

}  // namespace kvscope::inference::cpu
