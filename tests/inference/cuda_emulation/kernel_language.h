// The CUDA language for a C++ compiler: what kernel sources see in place of nvcc. It is included
// before each of them (-include). Types and host functions come from CUDA's own headers; here is
// what a kernel calls while it runs: where it stands, barriers, warp operations, shared memory.
//
// The dialect is full warps only: every block is whole warps, and all 32 lanes take part in every
// warp operation. Atomics, textures, cooperative groups, asynchronous copies and inline PTX are
// left out: a kernel that wants one does not compile here, and is not to be trusted.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <source_location>
#include <tuple>
#include <type_traits>

#undef __launch_bounds__
#define __launch_bounds__(...)

namespace kvscope::cuda_emulation {

using Place = std::source_location;

struct ThreadPosition {
  uint3 thread, block;
  dim3 block_dim, grid_dim;
};
const ThreadPosition& Here();  // of the CUDA thread that runs

void SyncThreads(Place place);
enum class WarpOperation { kSync, kShuffle, kBallot };
// Waits until all lanes of the warp have come; then the values of all 32, until the next one.
const uint64_t* ExchangeInWarp(WarpOperation operation, unsigned mask, uint64_t value, Place place);
// The block's static shared variable of this key, and its dynamic shared memory.
void* SharedVariable(const void* key, size_t size_bytes);
void* DynamicShared();

void EnqueueKernel(const void* kernel, dim3 grid, dim3 block, size_t shared_bytes,
                   cudaStream_t stream, std::function<void()> body);

unsigned Lane();  // of the running thread in its warp

}  // namespace kvscope::cuda_emulation

#define KVSCOPE_SHARED(type, name, extent)      \
  using name##Type = type extent;               \
  static const char name##Key = 0;              \
  name##Type& name = *static_cast<name##Type*>( \
      ::kvscope::cuda_emulation::SharedVariable(&name##Key, sizeof(name##Type)))
#define KVSCOPE_DYNAMIC_SHARED(name) \
  float* const name = static_cast<float*>(::kvscope::cuda_emulation::DynamicShared())

namespace kvscope::inference::cuda {

template <class... Parameters, class... Arguments>
void StartKernel(void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t shared_bytes,
                 cudaStream_t stream, Arguments&&... arguments) {
  cuda_emulation::EnqueueKernel(
      reinterpret_cast<const void*>(kernel), grid, block, shared_bytes, stream,
      [kernel, values = std::tuple<Parameters...>(static_cast<Parameters>(arguments)...)] {
        std::apply(kernel, values);
      });
}

}  // namespace kvscope::inference::cuda

#define threadIdx (::kvscope::cuda_emulation::Here().thread)
#define blockIdx (::kvscope::cuda_emulation::Here().block)
#define blockDim (::kvscope::cuda_emulation::Here().block_dim)
#define gridDim (::kvscope::cuda_emulation::Here().grid_dim)

inline void __syncthreads(
    kvscope::cuda_emulation::Place place = kvscope::cuda_emulation::Place::current()) {
  kvscope::cuda_emulation::SyncThreads(place);
}
inline void __syncwarp(unsigned mask = ~0u, kvscope::cuda_emulation::Place place =
                                                kvscope::cuda_emulation::Place::current()) {
  using kvscope::cuda_emulation::WarpOperation;
  kvscope::cuda_emulation::ExchangeInWarp(WarpOperation::kSync, mask, 0, place);
}
// What lanes exchange lies in the emulation's own memory, where an earlier block's shared memory
// may have been: no access that the race check is to see.
[[gnu::no_sanitize("thread")]] inline unsigned __ballot_sync(
    unsigned mask, bool predicate,
    kvscope::cuda_emulation::Place place = kvscope::cuda_emulation::Place::current()) {
  using kvscope::cuda_emulation::WarpOperation;
  const uint64_t* values = kvscope::cuda_emulation::ExchangeInWarp(
      WarpOperation::kBallot, mask, static_cast<uint64_t>(predicate), place);
  unsigned ballot = 0;
  for (unsigned lane = 0; lane < 32; ++lane) ballot |= static_cast<unsigned>(values[lane]) << lane;
  return ballot;
}
template <class T>
[[gnu::no_sanitize("thread")]] T __shfl_xor_sync(
    unsigned mask, T value, int lanes, int width = 32,
    kvscope::cuda_emulation::Place place = kvscope::cuda_emulation::Place::current()) {
  static_assert(sizeof(T) <= sizeof(uint64_t));
  using kvscope::cuda_emulation::WarpOperation;
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  const unsigned lane = kvscope::cuda_emulation::Lane(), from = lane ^ static_cast<unsigned>(lanes);
  const uint64_t* values =
      kvscope::cuda_emulation::ExchangeInWarp(WarpOperation::kShuffle, mask, bits, place);
  // A lane beyond the end of its own part of the warp is none: the value stays.
  if (from < (lane / width + 1) * width) std::memcpy(&value, &values[from], sizeof value);
  return value;
}

using std::min;
inline int __popc(unsigned bits) { return __builtin_popcount(bits); }
inline int __popcll(unsigned long long bits) { return __builtin_popcountll(bits); }
inline int __ffsll(long long bits) { return __builtin_ffsll(bits); }
