#include "services/inference/engine/machine_peak.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <vector>

namespace kvscope::inference {
namespace {

constexpr int64_t kRows = 512, kWidth = 1024;  // of the product: large enough for its full speed
constexpr int64_t kAddRows = 1024, kAddWidth = 16384;  // 64 MiB an array
constexpr double kSecondsEach = 0.08;

// The shortest run of `work`, which must have ended when it returns.
double BestSeconds(const std::function<void()>& work) {
  using Clock = std::chrono::steady_clock;
  work();  // the first run makes scratch memory
  double best = 0;
  const auto begin = Clock::now();
  for (auto start = begin;;) {
    work();
    const auto end = Clock::now();
    const double seconds = std::chrono::duration<double>(end - start).count();
    best = best == 0 ? seconds : std::min(best, seconds);
    if (std::chrono::duration<double>(end - begin).count() > kSecondsEach) return best;
    start = end;
  }
}

Tensor Ones(Ops& ops, int64_t rows, int64_t width) {
  const Tensor host = AllocateHost(DType::kFloat32, {rows, width});
  std::fill_n(host.f32(), rows * width, 1.0f);
  return ops.Upload(host);
}

double ProductSpeed(Ops& ops, DType compute) {
  const Tensor weight = AllocateHost(DType::kFloat32, {kWidth, kWidth});
  std::fill_n(weight.f32(), kWidth * kWidth, 1.0f);
  const std::unique_ptr<PackedLinear> linear = ops.Pack(weight, Tensor(), compute);
  const Tensor x = Ones(ops, kRows, kWidth);
  const Tensor y = ops.Allocate(DType::kFloat32, {kRows, kWidth});
  const Tensor row = y.Slice(0, 1);
  std::vector<float> host(kWidth);
  const double seconds = BestSeconds([&] {
    ops.Linear(*linear, x, y);
    ops.ToHost(row, host.data());  // waits for a device
  });
  return 2.0 * kRows * kWidth * kWidth / seconds;
}

double MemorySpeed(Ops& ops) {
  const Tensor x = Ones(ops, kAddRows, kAddWidth), y = Ones(ops, kAddRows, kAddWidth);
  const Tensor row = x.Slice(0, 1);
  std::vector<float> host(kAddWidth);
  const double seconds = BestSeconds([&] {
    ops.Add(x, y);
    ops.ToHost(row, host.data());
  });
  return 3.0 * kAddRows * kAddWidth * sizeof(float) / seconds;
}

}  // namespace

MachinePeak MeasurePeak(Ops& ops) {
  return {.float32_operations_per_second = ProductSpeed(ops, DType::kFloat32),
          .bfloat16_operations_per_second = ProductSpeed(ops, DType::kBFloat16),
          .memory_bytes_per_second = MemorySpeed(ops)};
}

}  // namespace kvscope::inference
