#include "services/inference/ops/cpu/cpu_ops.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>
#include <vector>

#include "services/inference/ops/cpu/attention.h"
#include "services/inference/ops/cpu/kernels.h"
#include "services/inference/ops/cpu/linear.h"
#include "services/inference/ops/cpu/rows.h"
#include "services/inference/ops/rotation_table.h"
#include "services/inference/ops/shapes.h"

namespace kvscope::inference {
namespace {

using cpu::Exp;

constexpr int64_t kParallelSize = 1 << 17;  // numbers below which a second thread costs more

class CpuOps final : public Ops {
 public:
  std::string_view name() const override { return "cpu"; }
  bool uses_host_memory() const override { return true; }

  Tensor Allocate(DType dtype, std::vector<int64_t> shape) override {
    return AllocateHost(dtype, std::move(shape));
  }
  void ToDevice(const void* host, const Tensor& to) override {
    if (to.size_bytes() > 0) std::memcpy(to.data(), host, to.size_bytes());
  }
  void ToHost(const Tensor& from, void* host) override {
    if (from.size_bytes() > 0) std::memcpy(host, from.data(), from.size_bytes());
  }

  std::unique_ptr<PackedLinear> Pack(const Tensor& weight, const Tensor& bias,
                                     DType compute) override {
    CheckPack(weight, bias, compute);
    return linear_.Pack(weight, bias, compute);
  }
  void Linear(const PackedLinear& linear, const Tensor& x, const Tensor& y) override {
    CheckLinear(linear, x, y);
    linear_.Run(linear, x, y);
  }

  void Embed(const Tensor& table, std::span<const int32_t> ids, const Tensor& y) override {
    CheckEmbed(table, ids, y);
    const int64_t width = table.dim(1);
    const auto rows = static_cast<int64_t>(ids.size());
#pragma omp parallel for schedule(static) if (rows * width > kParallelSize)
    for (int64_t r = 0; r < rows; ++r) {
      CopyToFloat(table.Slice(ids[static_cast<size_t>(r)], 1), width, y.f32() + r * width);
    }
  }

  void RmsNorm(const Tensor& x, const Tensor& weight, float eps, const Tensor& y) override {
    CheckRmsNorm(x, weight, y);
    const int64_t width = weight.dim(0), rows = x.size() / width;
    const float *in = x.f32(), *w = weight.f32();
    float* out = y.f32();
#pragma omp parallel for schedule(static) if (rows * width > kParallelSize)
    for (int64_t r = 0; r < rows; ++r) {
      const float* from = in + r * width;
      const float mean_square = cpu::Dot(from, from, width) / static_cast<float>(width);
      const float factor = 1.0f / std::sqrt(mean_square + eps);
      float* to = out + r * width;
#pragma omp simd
      for (int64_t i = 0; i < width; ++i) to[i] = from[i] * factor * w[i];
    }
  }

  void Rope(const Tensor& x, std::span<const int32_t> positions, std::span<const float> inv_freq,
            float scale) override {
    CheckRope(x, positions, inv_freq);
    if (positions.empty()) return;
    rotations_.Prepare(inv_freq, scale, *std::max_element(positions.begin(), positions.end()));
    const int64_t rows = x.dim(0), heads = x.dim(1), half = x.dim(2) / 2;
    float* data = x.f32();
#pragma omp parallel for schedule(static) if (x.size() > kParallelSize)
    for (int64_t r = 0; r < rows; ++r) {
      const float* cos = rotations_.row(positions[static_cast<size_t>(r)]);
      const float* sin = cos + half;
      for (int64_t h = 0; h < heads; ++h) {
        float* first = data + (r * heads + h) * 2 * half;
        float* second = first + half;
#pragma omp simd
        for (int64_t i = 0; i < half; ++i) {
          const float a = first[i], b = second[i];
          first[i] = a * cos[i] - b * sin[i];
          second[i] = b * cos[i] + a * sin[i];
        }
      }
    }
  }

  void SwiGlu(const Tensor& x, const Tensor& y) override {
    CheckSwiGlu(x, y);
    const int64_t width = RowWidth(y), rows = y.dim(0);
    const float* in = x.f32();
    float* out = y.f32();
#pragma omp parallel for schedule(static) if (rows * width > kParallelSize)
    for (int64_t r = 0; r < rows; ++r) {
      const float *gate = in + r * 2 * width, *up = gate + width;
      float* to = out + r * width;
#pragma omp simd
      for (int64_t i = 0; i < width; ++i) to[i] = gate[i] / (1.0f + Exp(-gate[i])) * up[i];
    }
  }

  void Add(const Tensor& x, const Tensor& y) override {
    CheckAdd(x, y);
    const int64_t size = x.size();
    float* to = x.f32();
    const float* from = y.f32();
#pragma omp parallel for simd schedule(static) if (size > kParallelSize)
    for (int64_t i = 0; i < size; ++i) to[i] += from[i];
  }

  void Columns(const Tensor& x, int64_t begin, const Tensor& y) override {
    CheckColumns(x, begin, y);
    const int64_t from = RowWidth(x), to = RowWidth(y), rows = y.dim(0);
#pragma omp parallel for schedule(static) if (y.size() > kParallelSize)
    for (int64_t r = 0; r < rows; ++r)
      std::copy_n(x.f32() + r * from + begin, to, y.f32() + r * to);
  }

  void Rows(const Tensor& x, std::span<const int32_t> rows, const Tensor& y) override {
    CheckRows(x, rows, y);
    const int64_t width = RowWidth(x);
    for (size_t i = 0; i < rows.size(); ++i) {
      std::copy_n(x.f32() + rows[i] * width, width, y.f32() + static_cast<int64_t>(i) * width);
    }
  }

  void StoreKv(const Tensor& x, std::span<const int32_t> slots, std::span<const int32_t> positions,
               const Tensor& cache) override {
    CheckStoreKv(x, slots, positions, cache);
    const int64_t heads = x.dim(1), dim = x.dim(2), rows = x.dim(0);
    const int64_t capacity = cache.dim(static_cast<int>(cache.shape().size()) - 2);
#pragma omp parallel for schedule(static) if (x.size() > kParallelSize)
    for (int64_t r = 0; r < rows; ++r) {
      const auto row = static_cast<size_t>(r);
      for (int64_t h = 0; h < heads; ++h) {
        const int64_t to = ((slots[row] * heads + h) * capacity + positions[row]) * dim;
        std::copy_n(x.f32() + (r * heads + h) * dim, dim, cache.f32() + to);
      }
    }
  }

  void CausalAttention(const Tensor& q, const Tensor& k, const Tensor& v, int64_t first,
                       const Tensor& out, const Tensor& weights) override {
    CheckCausalAttention(q, k, v, first, out, weights);
    attention_.Causal(q, k, v, first, out, weights);
  }

  void Grid(const GridAttention& args, const Tensor& out, const GridCapture& capture) override {
    CheckGrid(args, out, capture);
    attention_.Grid(args, out, capture);
  }

  void Argmax(const Tensor& logits, std::span<int32_t> ids) override {
    CheckArgmax(logits, ids);
    const int64_t vocab = RowWidth(logits);
    const auto rows = static_cast<int64_t>(ids.size());
#pragma omp parallel for schedule(static) if (rows * vocab > kParallelSize)
    for (int64_t r = 0; r < rows; ++r) {
      const float* row = logits.f32() + r * vocab;
      float max = row[0];
#pragma omp simd reduction(max : max)
      for (int64_t i = 0; i < vocab; ++i) max = row[i] > max ? row[i] : max;
      const float* best = std::find(row, row + vocab, max);
      ids[static_cast<size_t>(r)] = static_cast<int32_t>(best == row + vocab ? 0 : best - row);
    }
  }

 private:
  cpu::LinearEngine linear_;
  cpu::Attention attention_;
  RotationTable rotations_;
};

}  // namespace

std::unique_ptr<Ops> MakeCpuOps() { return std::make_unique<CpuOps>(); }

}  // namespace kvscope::inference
