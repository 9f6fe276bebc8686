// What other parts of the emulated device need of its runtime.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <functional>

namespace kvscope::cuda_emulation {

// Whether all of it lies in one allocation of the device.
bool InDeviceMemory(const void* memory, size_t size_bytes);
// Runs `work` when the host waits for the stream.
void Enqueue(cudaStream_t stream, std::function<void()> work);

}  // namespace kvscope::cuda_emulation
