// Errors of the CUDA libraries. None of them is expected once the backend is made: a failed call is
// a bug or a device that ran out of memory, so the process says where and stops.
#pragma once

#include <cublas_v2.h>
#include <cuda_runtime.h>

namespace kvscope::inference::cuda {

void CheckCuda(cudaError_t error, const char* what);
void CheckCublas(cublasStatus_t status, const char* what);

}  // namespace kvscope::inference::cuda
