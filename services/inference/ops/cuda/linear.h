// Matrix products of the cuda backend, by cuBLAS.
#pragma once

#include <cublas_v2.h>

#include <memory>

#include "services/inference/ops/cuda/device.h"
#include "services/inference/ops/cuda/memory.h"
#include "services/inference/ops/ops.h"

namespace kvscope::inference::cuda {

// Its products stand in the device's stream.
class LinearEngine {
 public:
  explicit LinearEngine(const std::shared_ptr<Device>& device);
  LinearEngine(const LinearEngine&) = delete;
  ~LinearEngine();  // when nothing of it stands in the stream any more

  std::unique_ptr<PackedLinear> Pack(const Tensor& weight, const Tensor& bias, DType compute);
  void Run(const PackedLinear& linear, const Tensor& x, const Tensor& y);
  cublasHandle_t blas() const { return blas_; }  // for the calling thread, as Device::stream is

 private:
  void PutAs(const Tensor& host, DType dtype, DeviceMemory& memory);

  const std::shared_ptr<Device> device_;
  cublasHandle_t blas_ = nullptr;
  DeviceMemory workspace_{device_};  // cuBLAS's own
  DeviceMemory inputs_{device_};     // of a product, rounded
};

}  // namespace kvscope::inference::cuda
