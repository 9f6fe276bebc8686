// Device: the stream that all ops of a backend stand in, in their order, and the memory that they
// use. Ops of a step are captured into a graph and started together.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <functional>
#include <vector>

#include "services/inference/ops/ops.h"

namespace kvscope::inference::cuda {

// Serves one thread at a time. Errors: DeviceError.
class Device {
 public:
  explicit Device(int ordinal);
  Device(const Device&) = delete;
  ~Device();

  // For kernels, products and copies of the calling thread; what is put there may run only after
  // Flush or Wait.
  cudaStream_t stream() const {
    Use();
    return stream_;
  }

  // What follows is captured until Flush. An equal step is not built again: see device.cc.
  void BeginStep();
  // Starts what was captured.
  void Flush();
  // Flush, and waits until all of the stream is done; then calls what AfterWait was given.
  void Wait();
  // Waits for what stands in the stream, though nobody wants its results; tells no error.
  void Abandon();
  void AfterWait(std::function<void()> call) { after_wait_.push_back(std::move(call)); }
  // Copies in the order of the stream, and waits.
  void Copy(void* to, const void* from, size_t size_bytes, cudaMemcpyKind kind);
  // As ops.h says.
  std::function<void()> StartToHost(const void* from, void* host, size_t size_bytes);

  // Memory, aligned to 256 bytes, from a pool that keeps what is freed: neither call waits. Where
  // there is none, what AfterWait was given is forgotten.
  void* Allocate(size_t size_bytes);
  void Free(void* memory);  // after the ops that stand in the stream; tells no error
  bool Reserve(size_t size_bytes);
  DeviceMemoryState memory() const;

 private:
  void Use() const;  // by the calling thread
  void Launch(cudaGraph_t graph);
  void* TryAllocate(size_t size_bytes);  // null: there is too little

  const int ordinal_;
  cudaStream_t stream_ = nullptr, copies_ = nullptr;
  cudaMemPool_t pool_ = nullptr;
  bool capturing_ = false;
  cudaGraphExec_t step_ = nullptr;  // the last one that was started
  std::vector<std::function<void()>> after_wait_;
};

}  // namespace kvscope::inference::cuda
