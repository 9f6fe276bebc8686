#include "services/inference/ops/cuda/status.h"

#include <cstdio>
#include <string>

#include "services/inference/ops/device_error.h"

namespace kvscope::inference::cuda {

void CheckCuda(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  cudaGetLastError();  // or the next start of a kernel would be told of it
  const auto kind = error == cudaErrorMemoryAllocation ? DeviceError::Kind::kOutOfMemory
                                                       : DeviceError::Kind::kFailed;
  throw DeviceError(kind, std::string("cuda: ") + what + ": " + cudaGetErrorString(error));
}

void CheckCublas(cublasStatus_t status, const char* what) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  const auto kind = status == CUBLAS_STATUS_ALLOC_FAILED ? DeviceError::Kind::kOutOfMemory
                                                         : DeviceError::Kind::kFailed;
  throw DeviceError(kind, std::string("cuda: ") + what + ": cuBLAS status " +
                              std::to_string(static_cast<int>(status)));
}

void LogCuda(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  std::fprintf(stderr, "cuda: %s: %s\n", what, cudaGetErrorString(error));
}

}  // namespace kvscope::inference::cuda
