#include "services/inference/ops/cuda/launch.h"
#include "tests/inference/cuda_emulation/emulation_kernels.h"

namespace kvscope::cuda_emulation {
namespace {

using inference::cuda::kAllLanes;
using inference::cuda::Launch;

constexpr int kThreads = 64;

__global__ void __launch_bounds__(kThreads) WarpAndBlockKernel(WarpResults* out) {
  KVSCOPE_SHARED(unsigned, numbers, [kThreads]);
  const unsigned i = threadIdx.x;
  numbers[i] = i + 100;
  __syncthreads();
  WarpResults& mine = out[i];
  mine.ballot = __ballot_sync(kAllLanes, i % 3 == 0);
  mine.neighbour = __shfl_xor_sync(kAllLanes, i, 1);
  mine.neighbour_of_eight = __shfl_xor_sync(kAllLanes, i, 12, 8);
  mine.from_shared = numbers[blockDim.x - 1 - i];
}

__global__ void __launch_bounds__(kThreads) StoreKernel(int* to, int value) {
  if (threadIdx.x == 0) *to = value;
}

__global__ void __launch_bounds__(kThreads) ReverseKernel(int* numbers, int count) {
  KVSCOPE_DYNAMIC_SHARED(memory);
  const int i = threadIdx.x;
  if (i < count) memory[i] = static_cast<float>(numbers[i]);
  __syncthreads();
  if (i < count) numbers[i] = static_cast<int>(memory[count - 1 - i]);
}

__global__ void __launch_bounds__(kThreads) DivergentBarrierKernel(int* numbers) {
  if (threadIdx.x < kThreads / 2) {
    numbers[threadIdx.x] = 1;
    __syncthreads();
  } else {
    __syncthreads();
  }
}
__global__ void __launch_bounds__(kThreads) SkippedBarrierKernel(int* numbers) {
  numbers[threadIdx.x] = 1;
  if (threadIdx.x == 5) return;
  __syncthreads();
}
__global__ void __launch_bounds__(kThreads) SkippedShuffleKernel(int* numbers) {
  if (threadIdx.x == 3) return;
  numbers[threadIdx.x] = __shfl_xor_sync(kAllLanes, 1, 1);
}
__global__ void __launch_bounds__(kThreads) DivergentShuffleKernel(int* numbers) {
  if (threadIdx.x % 2 == 0) {
    numbers[threadIdx.x] = __shfl_xor_sync(kAllLanes, 1, 1);
  } else {
    numbers[threadIdx.x] = __shfl_xor_sync(kAllLanes, 2, 1);
  }
}
__global__ void __launch_bounds__(kThreads) PartOfAWarpKernel(int* numbers) {
  if (threadIdx.x % 2 == 0) numbers[threadIdx.x] = __shfl_xor_sync(0x55555555u, 1, 2);
}
__global__ void __launch_bounds__(kThreads) RaceInSharedKernel(int* numbers) {
  KVSCOPE_SHARED(int, shared, [kThreads]);
  shared[threadIdx.x] = numbers[threadIdx.x];
  numbers[threadIdx.x] = shared[(threadIdx.x + 1) % kThreads];
}
// Ordered within a warp, but not between warps.
__global__ void __launch_bounds__(kThreads) RaceOfWarpsKernel(int* numbers) {
  KVSCOPE_SHARED(int, shared, [kThreads]);
  shared[threadIdx.x] = numbers[threadIdx.x];
  __syncwarp();
  numbers[threadIdx.x] = shared[kThreads - 1 - threadIdx.x];
}
__global__ void __launch_bounds__(kThreads) RaceOfBlocksKernel(int* numbers) {
  if (threadIdx.x == 0) numbers[0] = static_cast<int>(blockIdx.x);
}

void LaunchBroken(void (*kernel)(int*), int* numbers, int blocks, cudaStream_t stream) {
  Launch(kernel, blocks, kThreads, 0, stream, numbers);
}

}  // namespace

void WarpAndBlock(WarpResults* out, int threads, cudaStream_t stream) {
  Launch(WarpAndBlockKernel, 1, threads, 0, stream, out);
}
void Store(int* to, int value, cudaStream_t stream) {
  Launch(StoreKernel, 1, kThreads, 0, stream, to, value);
}
void ReverseInDynamicShared(int* numbers, int count, size_t shared_bytes, cudaStream_t stream) {
  Launch(ReverseKernel, 1, kThreads, shared_bytes, stream, numbers, count);
}

void DivergentBarrier(int* numbers, cudaStream_t stream) {
  LaunchBroken(DivergentBarrierKernel, numbers, 1, stream);
}
void SkippedBarrier(int* numbers, cudaStream_t stream) {
  LaunchBroken(SkippedBarrierKernel, numbers, 1, stream);
}
void SkippedShuffle(int* numbers, cudaStream_t stream) {
  LaunchBroken(SkippedShuffleKernel, numbers, 1, stream);
}
void DivergentShuffle(int* numbers, cudaStream_t stream) {
  LaunchBroken(DivergentShuffleKernel, numbers, 1, stream);
}
void PartOfAWarp(int* numbers, cudaStream_t stream) {
  LaunchBroken(PartOfAWarpKernel, numbers, 1, stream);
}
void RaceInShared(int* numbers, cudaStream_t stream) {
  LaunchBroken(RaceInSharedKernel, numbers, 1, stream);
}
void RaceOfWarps(int* numbers, cudaStream_t stream) {
  LaunchBroken(RaceOfWarpsKernel, numbers, 1, stream);
}
void RaceOfBlocks(int* numbers, cudaStream_t stream) {
  LaunchBroken(RaceOfBlocksKernel, numbers, 2, stream);
}

}  // namespace kvscope::cuda_emulation
