#include "services/inference/ops/cuda/cuda_ops.h"

#include <cuda_runtime.h>

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "services/inference/ops/cuda/device.h"
#include "services/inference/ops/cuda/grid_plan.h"
#include "services/inference/ops/cuda/kernels.h"
#include "services/inference/ops/cuda/linear.h"
#include "services/inference/ops/cuda/memory.h"
#include "services/inference/ops/cuda/scratch.h"
#include "services/inference/ops/cuda/status.h"
#include "services/inference/ops/device_error.h"
#include "services/inference/ops/rotation_table.h"
#include "services/inference/ops/shapes.h"
#include "services/inference/tensor/check.h"

namespace kvscope::inference {
namespace {

using cuda::CheckCuda;
using cuda::Device;
using cuda::DeviceMemory;
using cuda::Downloads;
using cuda::PinnedMemory;
using cuda::Uploads;

constexpr int kLeastComputeCapability = 8;  // the major number

// 12080: "12.8".
std::string Version(int number) {
  return std::to_string(number / 1000) + "." + std::to_string(number % 1000 / 10);
}

class CudaOps final : public Ops {
 public:
  explicit CudaOps(int ordinal) : device_(std::make_shared<Device>(ordinal)) {}
  ~CudaOps() override { device_->Abandon(); }
  std::string_view name() const override { return "cuda"; }
  int most_head_dim() const override { return cuda::kMostHeadDim; }

  std::optional<DeviceMemoryState> memory() override { return device_->memory(); }
  bool ReserveMemory(int64_t bytes) override {
    return device_->Reserve(static_cast<size_t>(bytes));
  }
  Tensor Allocate(DType dtype, std::vector<int64_t> shape) override {
    void* memory = device_->Allocate(SizeBytes(dtype, shape));
    return {dtype, std::move(shape),
            std::shared_ptr<void>(memory, [device = device_](void* m) { device->Free(m); })};
  }
  void ToDevice(const void* host, const Tensor& to) override {
    device_->Copy(to.data(), host, to.size_bytes(), cudaMemcpyHostToDevice);
  }
  void ToHost(const Tensor& from, void* host) override {
    device_->Copy(host, from.data(), from.size_bytes(), cudaMemcpyDeviceToHost);
  }
  std::function<void()> StartToHost(const Tensor& from, void* host) override {
    return device_->StartToHost(from.data(), host, from.size_bytes());
  }
  Tensor AllocateForCopies(DType dtype, std::vector<int64_t> shape) override {
    auto memory = std::make_shared<PinnedMemory>();
    memory->Resize(SizeBytes(dtype, shape));
    return {dtype, std::move(shape), std::shared_ptr<void>(memory, memory->data())};
  }
  void BeginStep() override {
    uploads_.MakeRoom();
    device_->BeginStep();
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
    const auto [device_ids] = uploads_.Put(ids);
    const int64_t width = table.dim(1);
    cuda::GatherRows(table.data(), table.dtype(), device_ids, y.dim(0), width, 0, width, y.f32(),
                     stream());
  }

  void RmsNorm(const Tensor& x, const Tensor& weight, float eps, const Tensor& y) override {
    CheckRmsNorm(x, weight, y);
    const int64_t width = weight.dim(0);
    cuda::RmsNorm(x.f32(), weight.f32(), eps, x.size() / width, width, y.f32(), stream());
  }

  void AddRmsNorm(const Tensor& x, const Tensor& y, const Tensor& weight, float eps,
                  const Tensor& normed) override {
    CheckAdd(x, y);
    CheckRmsNorm(x, weight, normed);
    const int64_t width = weight.dim(0);
    cuda::AddRmsNorm(x.f32(), y.f32(), weight.f32(), eps, x.size() / width, width, normed.f32(),
                     stream());
  }

  void Rope(const Tensor& x, std::span<const int32_t> positions, std::span<const float> inv_freq,
            float scale) override {
    CheckRope(x, positions, inv_freq);
    if (positions.empty()) return;
    const int32_t last = *std::max_element(positions.begin(), positions.end());
    if (rotations_.Prepare(inv_freq, scale, last)) rotations_copied_ = false;
    if (!rotations_copied_) {
      const std::span<const float> table = rotations_.table();
      device_->Copy(device_rotations_.Reserve(table.size_bytes()), table.data(), table.size_bytes(),
                    cudaMemcpyHostToDevice);
      rotations_copied_ = true;
    }
    const auto [device_positions] = uploads_.Put(positions);
    cuda::Rotate(x.f32(), device_positions, static_cast<const float*>(device_rotations_.data()),
                 x.dim(0), x.dim(1), x.dim(2), stream());
  }

  void SwiGlu(const Tensor& x, const Tensor& y) override {
    CheckSwiGlu(x, y);
    cuda::SwiGlu(x.f32(), y.dim(0), RowWidth(y), y.f32(), stream());
  }

  void Add(const Tensor& x, const Tensor& y) override {
    CheckAdd(x, y);
    cuda::Add(x.f32(), y.f32(), x.size(), stream());
  }

  void Columns(const Tensor& x, int64_t begin, const Tensor& y) override {
    CheckColumns(x, begin, y);
    cuda::GatherRows(x.data(), x.dtype(), nullptr, y.dim(0), RowWidth(x), begin, RowWidth(y),
                     y.f32(), stream());
  }

  void Rows(const Tensor& x, std::span<const int32_t> rows, const Tensor& y) override {
    CheckRows(x, rows, y);
    const auto [device_rows] = uploads_.Put(rows);
    cuda::GatherRows(x.data(), x.dtype(), device_rows, y.dim(0), RowWidth(x), 0, RowWidth(x),
                     y.f32(), stream());
  }

  void StoreKv(const Tensor& x, std::span<const int32_t> slots, std::span<const int32_t> positions,
               const Tensor& cache) override {
    CheckStoreKv(x, slots, positions, cache);
    const auto [device_slots, device_positions] = uploads_.Put(slots, positions);
    const int64_t capacity = cache.dim(static_cast<int>(cache.shape().size()) - 2);
    cuda::StoreKv(x.f32(), device_slots, device_positions, x.dim(0), x.dim(1), x.dim(2), capacity,
                  cache.f32(), stream());
  }

  void CausalAttention(const Tensor& q, const Tensor& k, const Tensor& v, int64_t first,
                       const Tensor& out, const Tensor& weights) override {
    CheckCausalAttention(q, k, v, first, out, weights);
    const cuda::Heads heads = HeadsOf(q, k);
    const cuda::KvView kv = {k.f32(), v.f32(), k.dim(1)};
    const int64_t rows = q.dim(0);
    cuda::CausalAttention(q.f32(), kv, heads, first, rows, out.f32(), stream());
    if (weights.empty()) return;
    const int64_t size = rows * (first + rows);  // of one head: all of them may be too large
    const size_t size_bytes = static_cast<size_t>(size) * sizeof(float);
    auto* one_head = static_cast<float*>(scratch_.Reserve(size_bytes));
    for (int head = 0; head < heads.q_heads; ++head) {
      cuda::CausalWeights(q.f32(), kv, heads, head, first, rows, one_head, stream());
      device_->Copy(weights.f32() + head * size, one_head, size_bytes, cudaMemcpyDeviceToHost);
    }
  }

  void Grid(const GridAttention& args, const Tensor& out, const GridCapture& capture) override {
    CheckGrid(args, out, capture);
    const cuda::Heads heads = HeadsOf(args.q, args.k);
    const cuda::GridPlan plan = cuda::PlanGrid(args.row_set, args.kept, args.tokens, heads);
    cuda::GridStep step = {};
    step.q = args.q.f32();
    step.context = {args.k.f32(), args.v.f32(), args.k.dim(1)};
    step.suffix = {args.suffix_k.f32(), args.suffix_v.f32(), args.suffix_k.dim(2)};
    step.heads = heads;
    step.rows_count = static_cast<int>(args.q.dim(0));
    step.tokens = static_cast<int>(args.tokens);
    step.words = static_cast<int>(args.keep.dim(2));
    step.places = plan.places;
    step.dense_count = static_cast<int>(plan.dense.size());
    step.gathered_count = static_cast<int>(plan.gathered.size());
    step.keep = args.keep.u64();
    std::tie(step.row_set, step.row_slot, step.row_suffix_length, step.row_capture, step.spans,
             step.rows, step.place, step.dense, step.gathered) =
        uploads_.Put(args.row_set, args.row_slot, args.row_suffix_length, args.row_capture,
                     args.spans, std::span(plan.rows), std::span(plan.place), std::span(plan.dense),
                     std::span(plan.gathered));

    void* scratch = scratch_.Reserve(cuda::GridScratchBytes(step));
    const size_t queries = args.row_set.size() * static_cast<size_t>(heads.q_heads);
    auto* seen = static_cast<float*>(seen_.Reserve(3 * queries * sizeof(float)));
    const cuda::GridSeen seen_parts = {reinterpret_cast<int32_t*>(seen), seen + queries,
                                       seen + 2 * queries};
    cuda::Grid(step, scratch, out.f32(), seen_parts, linear_.blas(), stream());
    if (!args.row_capture.empty()) Fetch(args.row_capture, heads.q_heads, seen_parts, capture);
  }

  void Argmax(const Tensor& logits, std::span<int32_t> ids) override {
    CheckArgmax(logits, ids);
    auto* device_ids = static_cast<int32_t*>(scratch_.Reserve(ids.size_bytes()));
    cuda::Argmax(logits.f32(), logits.dim(0), RowWidth(logits), device_ids, stream());
    device_->Copy(ids.data(), device_ids, ids.size_bytes(), cudaMemcpyDeviceToHost);
  }

 private:
  static size_t SizeBytes(DType dtype, const std::vector<int64_t>& shape) {
    size_t size_bytes = DTypeSize(dtype);
    for (const int64_t dim : shape) size_bytes *= static_cast<size_t>(dim);
    return size_bytes;
  }

  static cuda::Heads HeadsOf(const Tensor& q, const Tensor& k) {
    KVSCOPE_CHECK(q.dim(2) <= cuda::kMostHeadDim, "head_dim of the cuda backend");
    return {static_cast<int>(q.dim(1)), static_cast<int>(k.dim(0)), static_cast<int>(q.dim(2))};
  }

  // Copies what the watched rows saw to the caller, and leaves the other rows alone.
  void Fetch(std::span<const int32_t> row_capture, int q_heads, const cuda::GridSeen& seen,
             const GridCapture& capture) {
    const size_t heads = static_cast<size_t>(q_heads), queries = row_capture.size() * heads;
    downloads_.Get(seen.top_token, 3 * queries * sizeof(float),
                   [capture, heads, queries,
                    watched = std::vector<int32_t>(row_capture.begin(), row_capture.end())](
                       const std::byte* bytes) {
                     for (size_t row = 0; row < watched.size(); ++row) {
                       if (watched[row] < 0) continue;
                       const auto fetch = [&](size_t part, auto* to) {
                         const std::byte* from =
                             bytes + (part * queries + row * heads) * sizeof(float);
                         std::memcpy(to + row * heads, from, heads * sizeof(float));
                       };
                       fetch(0, capture.top_token.data());
                       fetch(1, capture.top_weight.data());
                       fetch(2, capture.answer_mass.data());
                     }
                   });
  }

  cudaStream_t stream() const { return device_->stream(); }

  const std::shared_ptr<Device> device_;
  cuda::LinearEngine linear_{device_};
  Uploads uploads_{device_};
  Downloads downloads_{device_};
  DeviceMemory scratch_{device_};  // of one op
  DeviceMemory seen_{device_};     // by the watched rows of a grid
  RotationTable rotations_;
  DeviceMemory device_rotations_{device_};
  bool rotations_copied_ = false;
};

// What the kernels lack on this machine; empty: nothing.
std::string WhyNot(int ordinal) {
  int count = 0, driver = 0, major = 0, minor = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error == cudaErrorInsufficientDriver) {
    CheckCuda(cudaDriverGetVersion(&driver), "the driver's version");
    return "the driver is for CUDA " + Version(driver) + ", " + Version(CUDART_VERSION) +
           " is needed";
  }
  if (error != cudaSuccess) return cudaGetErrorString(error);
  if (ordinal >= count) {
    return "there is no device cuda:" + std::to_string(ordinal) + "; this machine has " +
           std::to_string(count);
  }
  CheckCuda(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, ordinal),
            "the device");
  CheckCuda(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, ordinal),
            "the device");
  if (major >= kLeastComputeCapability) return "";
  return "the device has compute capability " + std::to_string(major) + "." +
         std::to_string(minor) + "; " + std::to_string(kLeastComputeCapability) + ".0 is needed";
}

}  // namespace

std::unique_ptr<Ops> MakeCudaOps(int ordinal, std::string& why_not) {
  why_not = WhyNot(ordinal);
  return why_not.empty() ? std::make_unique<CudaOps>(ordinal) : nullptr;
}

}  // namespace kvscope::inference
