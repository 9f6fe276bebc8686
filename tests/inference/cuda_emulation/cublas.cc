// The part of cuBLAS that the project calls: products of the float32 or bfloat16 numbers in device
// memory, accumulated in float32.
#include <cublas_v2.h>
#include <cuda_bf16.h>

#include <algorithm>
#include <vector>

#include "tests/inference/cuda_emulation/emulation.h"
#include "tests/inference/cuda_emulation/runtime.h"

namespace kvscope::cuda_emulation {
namespace {

struct Handle {
  int ordinal = CurrentDevice();
  cudaStream_t stream = nullptr;
};
Handle& Of(cublasHandle_t handle) { return *reinterpret_cast<Handle*>(handle); }

// Column j of op(M) = Mᵀ or M, `count` numbers of it, as float32.
void Load(const void* matrix, cudaDataType type, int64_t begin, int count, float* to) {
  for (int i = 0; i < count; ++i) {
    to[i] = type == CUDA_R_32F
                ? static_cast<const float*>(matrix)[begin + i]
                : __bfloat162float(static_cast<const __nv_bfloat16*>(matrix)[begin + i]);
  }
}

float Dot(const float* a, const float* b, int count) {
  constexpr int kSums = 16;  // as a vector unit would
  float sums[kSums] = {};
  int i = 0;
  for (; i + kSums <= count; i += kSums) {
    for (int lane = 0; lane < kSums; ++lane) sums[lane] += a[i + lane] * b[i + lane];
  }
  float sum = 0;
  for (; i < count; ++i) sum += a[i] * b[i];
  for (const float part : sums) sum += part;
  return sum;
}

}  // namespace
}  // namespace kvscope::cuda_emulation

using namespace kvscope::cuda_emulation;  // NOLINT(google-build-using-namespace): C functions
extern "C" {

cublasStatus_t cublasCreate_v2(cublasHandle_t* handle) {
  *handle = reinterpret_cast<cublasHandle_t>(new Handle);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasDestroy_v2(cublasHandle_t handle) {
  delete &Of(handle);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetStream_v2(cublasHandle_t handle, cudaStream_t stream) {
  Of(handle).stream = stream;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetWorkspace_v2(cublasHandle_t, void* memory, size_t size_bytes) {
  return InDeviceMemory(memory, size_bytes) ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE;
}

// C[m, n] = alpha · Aᵀ[m, k] · B[k, n] + beta · C, all column by column: the one form in use.
cublasStatus_t cublasGemmEx(cublasHandle_t handle, cublasOperation_t op_a, cublasOperation_t op_b,
                            int m, int n, int k, const void* alpha, const void* a,
                            cudaDataType a_type, int lda, const void* b, cudaDataType b_type,
                            int ldb, const void* beta, void* c, cudaDataType c_type, int ldc,
                            cublasComputeType_t compute, cublasGemmAlgo_t) {
  if (Of(handle).ordinal != CurrentDevice()) return CUBLAS_STATUS_EXECUTION_FAILED;
  if (m < 1 || n < 1 || k < 1 || lda < k || ldb < k || ldc < m) return CUBLAS_STATUS_INVALID_VALUE;
  if (op_a != CUBLAS_OP_T || op_b != CUBLAS_OP_N || a_type != b_type || c_type != CUDA_R_32F ||
      (a_type != CUDA_R_32F && a_type != CUDA_R_16BF) || compute != CUBLAS_COMPUTE_32F) {
    return CUBLAS_STATUS_NOT_SUPPORTED;
  }
  const float scale = *static_cast<const float*>(alpha), keep = *static_cast<const float*>(beta);
  static const char kProduct = 0;
  Enqueue(Of(handle).stream, &kProduct, [=] {
    const size_t width = a_type == CUDA_R_32F ? sizeof(float) : sizeof(__nv_bfloat16);
    const auto bytes = [](int columns, int stride, int rows, size_t size) {
      return (static_cast<size_t>(columns - 1) * stride + rows) * size;
    };
    if (!InDeviceMemory(a, bytes(m, lda, k, width)) ||
        !InDeviceMemory(b, bytes(n, ldb, k, width)) ||
        !InDeviceMemory(c, bytes(n, ldc, m, sizeof(float)))) {
      throw KernelError("a matrix of a product is not in device memory");
    }
    std::vector<float> left(static_cast<size_t>(m) * k), right(k);
    for (int i = 0; i < m; ++i) Load(a, a_type, int64_t{i} * lda, k, &left[size_t(i) * k]);
    for (int j = 0; j < n; ++j) {
      Load(b, b_type, int64_t{j} * ldb, k, right.data());
      float* column = static_cast<float*>(c) + int64_t{j} * ldc;
      for (int i = 0; i < m; ++i) {
        const float product = scale * Dot(&left[size_t(i) * k], right.data(), k);
        column[i] = keep == 0 ? product : product + keep * column[i];
      }
    }
  });
  return CUBLAS_STATUS_SUCCESS;
}

}  // extern "C"
