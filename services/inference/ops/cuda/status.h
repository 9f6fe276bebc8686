// Errors of the CUDA libraries, as DeviceError. But for memory that is not there none is expected
// once the backend is made: a failed call is a bug, or a device that broke.
#pragma once

#include <cublas_v2.h>
#include <cuda_runtime.h>

namespace kvscope::inference::cuda {

void CheckCuda(cudaError_t error, const char* what);
void CheckCublas(cublasStatus_t status, const char* what);
// For destructors: tells the log. After the device has failed everything does.
void LogCuda(cudaError_t error, const char* what);

}  // namespace kvscope::inference::cuda
