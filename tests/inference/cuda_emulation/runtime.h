// What other parts of the emulated device need of its runtime.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <functional>

namespace kvscope::cuda_emulation {

// Of the calling thread.
int CurrentDevice();
// Whether all of it lies in one allocation of a device.
bool InDeviceMemory(const void* memory, size_t size_bytes);
// Runs `work` when the host waits for the stream. `kind`: what a graph has a node of; nodes of one
// kind may replace each other.
void Enqueue(cudaStream_t stream, const void* kind, std::function<void()> work);

}  // namespace kvscope::cuda_emulation
