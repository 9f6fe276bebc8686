#include "services/inference/ops/cuda/status.h"

#include <cstdio>
#include <cstdlib>

namespace kvscope::inference::cuda {

void CheckCuda(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  std::fprintf(stderr, "cuda: %s: %s\n", what, cudaGetErrorString(error));
  std::abort();
}

void CheckCublas(cublasStatus_t status, const char* what) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  std::fprintf(stderr, "cuda: %s: cuBLAS status %d\n", what, static_cast<int>(status));
  std::abort();
}

}  // namespace kvscope::inference::cuda
