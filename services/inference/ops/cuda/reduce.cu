// Kernels that reduce a row: a block each, a running value a thread, then warps, then the block.
#include <cmath>

#include "services/inference/ops/cuda/kernels.h"
#include "services/inference/ops/cuda/launch.h"
#include "services/inference/ops/cuda/reduce.cuh"

namespace kvscope::inference::cuda {
namespace {

constexpr int kThreads = 256, kWarps = kThreads / kWarp;

// `added` null: nothing is added to x, which is then only read.
__global__ void __launch_bounds__(kThreads)
    RmsNormKernel(const float* x, float* x_plus, const float* added, const float* weight, float eps,
                  int64_t width, float* y) {
  KVSCOPE_SHARED(float, sums, [kWarps]);
  const int64_t row = blockIdx.x * width;
  const float* from = x + row;
  float* to = y + row;
  float squares = 0;
  for (int64_t i = threadIdx.x; i < width; i += kThreads) {
    float value = from[i];
    if (added != nullptr) x_plus[row + i] = value += added[row + i];
    squares += value * value;
  }
  // Its barrier is needed twice: y may be x, and is written only after all of x was read.
  const float sum = BlockSum<kWarps>(squares, sums);
  const float factor = 1.0f / sqrtf(sum / static_cast<float>(width) + eps);
  // A thread reads what it wrote itself.
  for (int64_t i = threadIdx.x; i < width; i += kThreads) to[i] = from[i] * factor * weight[i];
}

// The larger number, or of equal ones the earlier.
struct Best {
  float value;
  int32_t index;

  __device__ __forceinline__ void Take(float other_value, int32_t other_index) {
    if (other_value > value || (other_value == value && other_index < index)) {
      value = other_value;
      index = other_index;
    }
  }
};

__global__ void __launch_bounds__(kThreads)
    ArgmaxKernel(const float* x, int64_t width, int32_t* ids) {
  KVSCOPE_SHARED(float, values, [kWarps]);
  KVSCOPE_SHARED(int32_t, indices, [kWarps]);
  const float* row = x + blockIdx.x * width;
  Best best = {-INFINITY, 0};
  for (int64_t i = threadIdx.x; i < width; i += kThreads) {
    if (row[i] > best.value) best = {row[i], static_cast<int32_t>(i)};
  }
#pragma unroll
  for (int lanes = kWarp / 2; lanes > 0; lanes /= 2) {
    const float value = __shfl_xor_sync(kAllLanes, best.value, lanes);
    const int32_t index = __shfl_xor_sync(kAllLanes, best.index, lanes);
    best.Take(value, index);
  }
  if (threadIdx.x % kWarp == 0) {
    values[threadIdx.x / kWarp] = best.value;
    indices[threadIdx.x / kWarp] = best.index;
  }
  __syncthreads();
  if (threadIdx.x != 0) return;
  for (int warp = 1; warp < kWarps; ++warp) best.Take(values[warp], indices[warp]);
  ids[blockIdx.x] = best.index;
}

}  // namespace

void RmsNorm(const float* x, const float* weight, float eps, int64_t rows, int64_t width, float* y,
             cudaStream_t stream) {
  if (rows == 0) return;
  Launch(RmsNormKernel, static_cast<unsigned>(rows), kThreads, 0, stream, x, nullptr, nullptr,
         weight, eps, width, y);
}

void AddRmsNorm(float* x, const float* y, const float* weight, float eps, int64_t rows,
                int64_t width, float* normed, cudaStream_t stream) {
  if (rows == 0) return;
  Launch(RmsNormKernel, static_cast<unsigned>(rows), kThreads, 0, stream, x, x, y, weight, eps,
         width, normed);
}

void Argmax(const float* x, int64_t rows, int64_t width, int32_t* ids, cudaStream_t stream) {
  if (rows == 0) return;
  Launch(ArgmaxKernel, static_cast<unsigned>(rows), kThreads, 0, stream, x, width, ids);
}

}  // namespace kvscope::inference::cuda
