// How kernels are written and started, so that one source compiles for the device and, for tests,
// as C++ (tests/inference/cuda_emulation): KVSCOPE_SHARED in place of __shared__, and Launch in
// place of <<<>>>. Everything else is CUDA; warps are whole, and kernels use neither atomics nor
// inline PTX.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "services/inference/ops/cuda/status.h"

#ifdef __CUDACC__
// KVSCOPE_SHARED(float, sums, [8]); a shared variable of a fixed size
#define KVSCOPE_SHARED(type, name, extent) __shared__ type name extent
// The memory that the launch asked for, as floats, aligned to 16 bytes.
#define KVSCOPE_DYNAMIC_SHARED(name)       \
  extern __shared__ float4 name##Memory[]; \
  float* const name = reinterpret_cast<float*>(name##Memory)

namespace kvscope::inference::cuda {
template <class... Parameters, class... Arguments>
void StartKernel(void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t shared_bytes,
                 cudaStream_t stream, Arguments&&... arguments) {
  kernel<<<grid, block, shared_bytes, stream>>>(static_cast<Parameters>(arguments)...);
}
}  // namespace kvscope::inference::cuda
#endif

namespace kvscope::inference::cuda {

constexpr int kWarp = 32;
constexpr unsigned kAllLanes = 0xffffffffu;
constexpr size_t kSharedBytesUnasked = 48 << 10;

// Starts a kernel in `stream`; no grid is empty. A launch that the device refuses is a bug.
template <class... Parameters, class... Arguments>
void Launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t shared_bytes,
            cudaStream_t stream, Arguments... arguments) {
  if (shared_bytes > kSharedBytesUnasked) {
    CheckCuda(cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel),
                                   cudaFuncAttributeMaxDynamicSharedMemorySize,
                                   static_cast<int>(shared_bytes)),
              "shared memory of a kernel");
  }
  StartKernel(kernel, grid, block, shared_bytes, stream, arguments...);
  CheckCuda(cudaGetLastError(), "start of a kernel");
}

inline unsigned Blocks(int64_t work, int64_t each) {
  return static_cast<unsigned>((work + each - 1) / each);
}

}  // namespace kvscope::inference::cuda
