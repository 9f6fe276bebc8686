#include "services/inference/ops/cuda/linear.h"

#include "services/inference/ops/cuda/kernels.h"
#include "services/inference/ops/cuda/scratch.h"
#include "services/inference/ops/cuda/status.h"

namespace kvscope::inference::cuda {
namespace {

struct CudaLinear final : PackedLinear {
  explicit CudaLinear(const std::shared_ptr<Device>& device) : weight(device), bias(device) {}
  DType compute = DType::kFloat32;  // of `weight`
  DeviceMemory weight;              // [out, in]
  DeviceMemory bias;                // float32 [out]; of no size where there is none
};

}  // namespace

LinearEngine::LinearEngine(const std::shared_ptr<Device>& device) : device_(device) {
  void* memory = workspace_.Reserve(kBlasBytes);  // while there is no handle to lose
  CheckCublas(cublasCreate(&blas_), "cublasCreate");
  CheckCublas(cublasSetStream(blas_, device_->stream()), "cublasSetStream");
  // Its own would be allocated anew for each graph that a product is captured into.
  CheckCublas(cublasSetWorkspace(blas_, memory, kBlasBytes), "cublasSetWorkspace");
}

LinearEngine::~LinearEngine() { cublasDestroy(blas_); }

std::unique_ptr<PackedLinear> LinearEngine::Pack(const Tensor& weight, const Tensor& bias,
                                                 DType compute) {
  auto linear = std::make_unique<CudaLinear>(device_);
  linear->out_features = weight.dim(0);
  linear->in_features = weight.dim(1);
  linear->compute = compute;
  PutAs(weight, compute, linear->weight);
  if (!bias.empty()) PutAs(bias, DType::kFloat32, linear->bias);
  return linear;
}

// Row-major y = x · weightᵀ is, column by column, yᵀ = (weightᵀ)ᵀ · xᵀ.
void LinearEngine::Run(const PackedLinear& packed, const Tensor& x, const Tensor& y) {
  const int64_t rows = x.dim(0);
  if (rows == 0) return;
  const auto& linear = dynamic_cast<const CudaLinear&>(packed);
  const auto in = static_cast<int>(linear.in_features);
  const auto out = static_cast<int>(linear.out_features);
  const bool narrow = linear.compute == DType::kBFloat16;
  const void* input = x.data();
  if (narrow) {
    void* rounded = inputs_.Reserve(static_cast<size_t>(x.size()) * DTypeSize(linear.compute));
    Convert(input, DType::kFloat32, rounded, linear.compute, x.size(), device_->stream());
    input = rounded;
  }
  const auto* bias = static_cast<const float*>(linear.bias.data());
  if (bias != nullptr) RepeatRow(bias, rows, out, y.f32(), device_->stream());
  const cudaDataType type = narrow ? CUDA_R_16BF : CUDA_R_32F;
  const float one = 1.0f, beta = bias == nullptr ? 0.0f : 1.0f;
  CheckCublas(cublasGemmEx(blas_, CUBLAS_OP_T, CUBLAS_OP_N, out, static_cast<int>(rows), in, &one,
                           linear.weight.data(), type, in, input, type, in, &beta, y.f32(),
                           CUDA_R_32F, out, CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT),
              "a product");
}

// The numbers of a host tensor in another dtype, or in its own.
void LinearEngine::PutAs(const Tensor& host, DType dtype, DeviceMemory& memory) {
  void* to = memory.Reserve(static_cast<size_t>(host.size()) * DTypeSize(dtype));
  if (host.dtype() == dtype) {
    device_->Copy(to, host.data(), host.size_bytes(), cudaMemcpyHostToDevice);
    return;
  }
  DeviceMemory stored(device_);
  device_->Copy(stored.Reserve(host.size_bytes()), host.data(), host.size_bytes(),
                cudaMemcpyHostToDevice);
  Convert(stored.data(), host.dtype(), to, dtype, host.size(), device_->stream());
}

}  // namespace kvscope::inference::cuda
