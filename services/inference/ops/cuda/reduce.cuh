// Sums and maxima over the lanes of a warp and the threads of a block. Every thread gets the
// result, and the same bits of it whatever the schedule.
#pragma once

#include "services/inference/ops/cuda/launch.h"

namespace kvscope::inference::cuda {

// Over each group of `kGroup` neighbouring lanes, a power of two.
template <int kGroup, class T, class Join>
__device__ __forceinline__ T LaneReduce(T value, Join&& join) {
#pragma unroll
  for (int lanes = kGroup / 2; lanes > 0; lanes /= 2) {
    value = join(value, __shfl_xor_sync(kAllLanes, value, lanes));
  }
  return value;
}
template <int kGroup, class T>
__device__ __forceinline__ T LaneSum(T value) {
  return LaneReduce<kGroup>(value, [](T a, T b) { return a + b; });
}
template <int kGroup>
__device__ __forceinline__ float LaneMax(float value) {
  return LaneReduce<kGroup>(value, [](float a, float b) { return fmaxf(a, b); });
}
template <int kGroup>
__device__ __forceinline__ int LaneMin(int value) {
  return LaneReduce<kGroup>(value, [](int a, int b) { return min(a, b); });
}

// Over a block of `kWarps` warps; `memory`: kWarps floats of shared memory that nobody uses.
template <int kWarps>
__device__ __forceinline__ float BlockSum(float value, float* memory) {
  value = LaneSum<kWarp>(value);
  if (threadIdx.x % kWarp == 0) memory[threadIdx.x / kWarp] = value;
  __syncthreads();
  float sum = 0;
#pragma unroll
  for (int warp = 0; warp < kWarps; ++warp) sum += memory[warp];
  return sum;
}
template <int kWarps>
__device__ __forceinline__ float BlockMax(float value, float* memory) {
  value = LaneMax<kWarp>(value);
  if (threadIdx.x % kWarp == 0) memory[threadIdx.x / kWarp] = value;
  __syncthreads();
  float max = memory[0];
#pragma unroll
  for (int warp = 1; warp < kWarps; ++warp) max = fmaxf(max, memory[warp]);
  return max;
}

}  // namespace kvscope::inference::cuda
