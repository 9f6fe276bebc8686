// Kernels that compute each number by itself: a thread an element, in loops of the grid's stride.
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include "services/inference/ops/cuda/kernels.h"
#include "services/inference/ops/cuda/launch.h"
#include "services/inference/tensor/check.h"

namespace kvscope::inference::cuda {
namespace {

constexpr int kThreads = 256;
constexpr unsigned kMostBlocks = 4096;  // more work is done by longer loops

__device__ __forceinline__ float ToFloat(float x) { return x; }
__device__ __forceinline__ float ToFloat(__nv_bfloat16 x) { return __bfloat162float(x); }
__device__ __forceinline__ float ToFloat(__half x) { return __half2float(x); }
__device__ __forceinline__ void Store(float x, float* to) { *to = x; }
__device__ __forceinline__ void Store(float x, __nv_bfloat16* to) { *to = __float2bfloat16(x); }

__device__ __forceinline__ int64_t FirstElement() {
  return static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
}
__device__ __forceinline__ int64_t Stride() { return static_cast<int64_t>(gridDim.x) * kThreads; }

template <class... Parameters, class... Arguments>
void LaunchElements(void (*kernel)(Parameters...), int64_t size, cudaStream_t stream,
                    Arguments... arguments) {
  if (size == 0) return;
  const unsigned blocks = Blocks(size, kThreads);
  Launch(kernel, blocks < kMostBlocks ? blocks : kMostBlocks, kThreads, 0, stream, arguments...);
}

template <class From, class To>
__global__ void __launch_bounds__(kThreads) ConvertKernel(const From* x, To* y, int64_t size) {
  for (int64_t i = FirstElement(); i < size; i += Stride()) Store(ToFloat(x[i]), y + i);
}

__global__ void __launch_bounds__(kThreads)
    RepeatRowKernel(const float* row, int64_t width, float* y, int64_t size) {
  for (int64_t i = FirstElement(); i < size; i += Stride()) y[i] = row[i % width];
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    GatherRowsKernel(const T* x, const int32_t* rows, int64_t stride, int64_t begin, int64_t width,
                     float* y, int64_t size) {
  for (int64_t i = FirstElement(); i < size; i += Stride()) {
    const int64_t row = rows == nullptr ? i / width : rows[i / width];
    y[i] = ToFloat(x[row * stride + begin + i % width]);
  }
}

__global__ void __launch_bounds__(kThreads) AddKernel(float* x, const float* y, int64_t size) {
  for (int64_t i = FirstElement(); i < size; i += Stride()) x[i] += y[i];
}

__global__ void __launch_bounds__(kThreads)
    SwiGluKernel(const float* x, int64_t width, float* y, int64_t size) {
  for (int64_t i = FirstElement(); i < size; i += Stride()) {
    const float* row = x + i / width * 2 * width;
    const float gate = row[i % width], up = row[width + i % width];
    y[i] = gate / (1.0f + expf(-gate)) * up;
  }
}

// A thread a pair.
__global__ void __launch_bounds__(kThreads)
    RotateKernel(float* x, const int32_t* positions, const float* table, int64_t heads,
                 int64_t half, int64_t pairs) {
  for (int64_t i = FirstElement(); i < pairs; i += Stride()) {
    const int64_t head = i / half, pair = i % half;
    const float* cosines = table + positions[head / heads] * 2 * half;
    const float cosine = cosines[pair], sine = cosines[half + pair];
    float* first = x + head * 2 * half + pair;
    const float a = first[0], b = first[half];
    first[0] = a * cosine - b * sine;
    first[half] = b * cosine + a * sine;
  }
}

__global__ void __launch_bounds__(kThreads)
    StoreKvKernel(const float* x, const int32_t* slots, const int32_t* positions, int64_t heads,
                  int64_t dim, int64_t capacity, float* cache, int64_t size) {
  for (int64_t i = FirstElement(); i < size; i += Stride()) {
    const int64_t row = i / (heads * dim), head = i / dim % heads;
    cache[((slots[row] * heads + head) * capacity + positions[row]) * dim + i % dim] = x[i];
  }
}

template <class From>
void ConvertFrom(const void* x, void* y, DType to, int64_t size, cudaStream_t stream) {
  const auto* from = static_cast<const From*>(x);
  if (to == DType::kFloat32) {
    LaunchElements(ConvertKernel<From, float>, size, stream, from, static_cast<float*>(y), size);
  } else {
    KVSCOPE_CHECK(to == DType::kBFloat16, "computed in float32 or bfloat16");
    LaunchElements(ConvertKernel<From, __nv_bfloat16>, size, stream, from,
                   static_cast<__nv_bfloat16*>(y), size);
  }
}

}  // namespace

void Convert(const void* x, DType from, void* y, DType to, int64_t size, cudaStream_t stream) {
  if (from == DType::kFloat32) return ConvertFrom<float>(x, y, to, size, stream);
  if (from == DType::kBFloat16) return ConvertFrom<__nv_bfloat16>(x, y, to, size, stream);
  KVSCOPE_CHECK(from == DType::kFloat16, "a dtype that weights have");
  ConvertFrom<__half>(x, y, to, size, stream);
}

void RepeatRow(const float* row, int64_t rows, int64_t width, float* y, cudaStream_t stream) {
  LaunchElements(RepeatRowKernel, rows * width, stream, row, width, y, rows * width);
}

void GatherRows(const void* x, DType dtype, const int32_t* rows, int64_t row_count, int64_t stride,
                int64_t begin, int64_t width, float* y, cudaStream_t stream) {
  const int64_t size = row_count * width;
  const auto launch = [&](auto* kernel, auto* from) {
    LaunchElements(kernel, size, stream, from, rows, stride, begin, width, y, size);
  };
  if (dtype == DType::kFloat32) {
    launch(GatherRowsKernel<float>, static_cast<const float*>(x));
  } else if (dtype == DType::kBFloat16) {
    launch(GatherRowsKernel<__nv_bfloat16>, static_cast<const __nv_bfloat16*>(x));
  } else {
    launch(GatherRowsKernel<__half>, static_cast<const __half*>(x));
  }
}

void Add(float* x, const float* y, int64_t size, cudaStream_t stream) {
  LaunchElements(AddKernel, size, stream, x, y, size);
}

void SwiGlu(const float* x, int64_t rows, int64_t width, float* y, cudaStream_t stream) {
  LaunchElements(SwiGluKernel, rows * width, stream, x, width, y, rows * width);
}

void Rotate(float* x, const int32_t* positions, const float* table, int64_t rows, int64_t heads,
            int64_t head_dim, cudaStream_t stream) {
  const int64_t half = head_dim / 2, pairs = rows * heads * half;
  LaunchElements(RotateKernel, pairs, stream, x, positions, table, heads, half, pairs);
}

void StoreKv(const float* x, const int32_t* slots, const int32_t* positions, int64_t rows,
             int64_t heads, int64_t head_dim, int64_t capacity, float* cache, cudaStream_t stream) {
  const int64_t size = rows * heads * head_dim;
  LaunchElements(StoreKvKernel, size, stream, x, slots, positions, heads, head_dim, capacity, cache,
                 size);
}

}  // namespace kvscope::inference::cuda
