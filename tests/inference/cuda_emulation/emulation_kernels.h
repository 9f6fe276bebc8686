// Small kernels by which the emulated device itself is tested: right ones, and ones that break a
// rule each.
#pragma once

#include <cuda_runtime.h>

namespace kvscope::cuda_emulation {

struct WarpResults {
  unsigned ballot, neighbour, neighbour_of_eight, from_shared;
};
void WarpAndBlock(WarpResults* out, int threads, cudaStream_t stream);
void Store(int* to, int value, cudaStream_t stream);
void ReverseInDynamicShared(int* numbers, int count, size_t shared_bytes, cudaStream_t stream);

// Each of these breaks a rule.
void DivergentBarrier(int* numbers, cudaStream_t stream);
void SkippedBarrier(int* numbers, cudaStream_t stream);
void SkippedShuffle(int* numbers, cudaStream_t stream);
void DivergentShuffle(int* numbers, cudaStream_t stream);
void PartOfAWarp(int* numbers, cudaStream_t stream);
void RaceInShared(int* numbers, cudaStream_t stream);
void RaceOfWarps(int* numbers, cudaStream_t stream);
void RaceOfBlocks(int* numbers, cudaStream_t stream);

}  // namespace kvscope::cuda_emulation
