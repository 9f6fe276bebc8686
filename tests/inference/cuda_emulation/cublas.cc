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

// `count` numbers of a matrix from `begin` on, `step` apart, as float32.
void Load(const void* matrix, cudaDataType type, int64_t begin, int64_t step, int count,
          float* to) {
  for (int i = 0; i < count; ++i) {
    const int64_t at = begin + i * step;
    to[i] = type == CUDA_R_32F ? static_cast<const float*>(matrix)[at]
                               : __bfloat162float(static_cast<const __nv_bfloat16*>(matrix)[at]);
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

// C[m, n] = alpha · op(A)[m, k] · B[k, n] + beta · C, all column by column; op(A) is A or Aᵀ.
struct Product {
  cublasOperation_t op_a;
  int m, n, k;
  float alpha;
  cudaDataType type;  // of A and B
  int lda, ldb;
  float beta;
  int ldc;

  void Compute(const void* a, const void* b, float* c) const {
    const bool transposed = op_a == CUBLAS_OP_T;
    const size_t width = type == CUDA_R_32F ? sizeof(float) : sizeof(__nv_bfloat16);
    const auto inside = [](const void* matrix, int columns, int stride, int rows, size_t size) {
      return InDeviceMemory(matrix, (static_cast<size_t>(columns - 1) * stride + rows) * size);
    };
    if (!inside(a, transposed ? m : k, lda, transposed ? k : m, width) ||
        !inside(b, n, ldb, k, width) || !inside(c, n, ldc, m, sizeof(float))) {
      throw KernelError("a matrix of a product is not in device memory");
    }
    std::vector<float> left(static_cast<size_t>(m) * k), right(k);
    for (int i = 0; i < m; ++i) {
      Load(a, type, transposed ? int64_t{i} * lda : i, transposed ? 1 : lda, k,
           &left[static_cast<size_t>(i) * k]);
    }
    for (int j = 0; j < n; ++j) {
      Load(b, type, int64_t{j} * ldb, 1, k, right.data());
      float* column = c + int64_t{j} * ldc;
      for (int i = 0; i < m; ++i) {
        const float product = alpha * Dot(&left[static_cast<size_t>(i) * k], right.data(), k);
        column[i] = beta == 0 ? product : product + beta * column[i];
      }
    }
  }
};

// What the backend asks of cuBLAS, and no more; `product` is written if that is asked.
cublasStatus_t Read(cublasHandle_t handle, cublasOperation_t op_a, cublasOperation_t op_b, int m,
                    int n, int k, const void* alpha, cudaDataType a_type, int lda,
                    cudaDataType b_type, int ldb, const void* beta, cudaDataType c_type, int ldc,
                    cublasComputeType_t compute, Product& product) {
  if (Of(handle).ordinal != CurrentDevice()) return CUBLAS_STATUS_EXECUTION_FAILED;
  const int a_rows = op_a == CUBLAS_OP_T ? k : m;
  if (m < 1 || n < 1 || k < 1 || lda < a_rows || ldb < k || ldc < m) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  if ((op_a != CUBLAS_OP_T && op_a != CUBLAS_OP_N) || op_b != CUBLAS_OP_N || a_type != b_type ||
      c_type != CUDA_R_32F || (a_type != CUDA_R_32F && a_type != CUDA_R_16BF) ||
      compute != CUBLAS_COMPUTE_32F) {
    return CUBLAS_STATUS_NOT_SUPPORTED;
  }
  product = {op_a,
             m,
             n,
             k,
             *static_cast<const float*>(alpha),
             a_type,
             lda,
             ldb,
             *static_cast<const float*>(beta),
             ldc};
  return CUBLAS_STATUS_SUCCESS;
}

const char kProduct = 0, kBatches = 0;  // their addresses tell a graph's nodes apart

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

cublasStatus_t cublasGemmEx(cublasHandle_t handle, cublasOperation_t op_a, cublasOperation_t op_b,
                            int m, int n, int k, const void* alpha, const void* a,
                            cudaDataType a_type, int lda, const void* b, cudaDataType b_type,
                            int ldb, const void* beta, void* c, cudaDataType c_type, int ldc,
                            cublasComputeType_t compute, cublasGemmAlgo_t) {
  Product product;
  const cublasStatus_t status = Read(handle, op_a, op_b, m, n, k, alpha, a_type, lda, b_type, ldb,
                                     beta, c_type, ldc, compute, product);
  if (status != CUBLAS_STATUS_SUCCESS) return status;
  Enqueue(Of(handle).stream, &kProduct, [=] { product.Compute(a, b, static_cast<float*>(c)); });
  return CUBLAS_STATUS_SUCCESS;
}

// The arrays of addresses are device memory, and are read when the products are computed.
cublasStatus_t cublasGemmBatchedEx(cublasHandle_t handle, cublasOperation_t op_a,
                                   cublasOperation_t op_b, int m, int n, int k, const void* alpha,
                                   const void* const a[], cudaDataType a_type, int lda,
                                   const void* const b[], cudaDataType b_type, int ldb,
                                   const void* beta, void* const c[], cudaDataType c_type, int ldc,
                                   int count, cublasComputeType_t compute, cublasGemmAlgo_t) {
  Product product;
  const cublasStatus_t status = Read(handle, op_a, op_b, m, n, k, alpha, a_type, lda, b_type, ldb,
                                     beta, c_type, ldc, compute, product);
  if (status != CUBLAS_STATUS_SUCCESS) return status;
  if (count < 1) return CUBLAS_STATUS_INVALID_VALUE;
  Enqueue(Of(handle).stream, &kBatches, [=] {
    const size_t bytes = static_cast<size_t>(count) * sizeof(void*);
    if (!InDeviceMemory(a, bytes) || !InDeviceMemory(b, bytes) || !InDeviceMemory(c, bytes)) {
      throw KernelError("the addresses of a product's batches are not in device memory");
    }
    for (int i = 0; i < count; ++i) product.Compute(a[i], b[i], static_cast<float*>(c[i]));
  });
  return CUBLAS_STATUS_SUCCESS;
}

}  // extern "C"
