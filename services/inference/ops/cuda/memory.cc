#include "services/inference/ops/cuda/memory.h"

#include <algorithm>

#include "services/inference/ops/cuda/status.h"

namespace kvscope::inference::cuda {
namespace {

constexpr size_t kRingBytes = 1 << 20;

}  // namespace

DeviceMemory::~DeviceMemory() { LogCuda(cudaFree(data_), "free"); }

void* DeviceMemory::Reserve(size_t size_bytes) {
  if (size_bytes <= size_bytes_) return data_;
  CheckCuda(cudaFree(data_), "free");
  data_ = nullptr;  // freed before its successor is made
  size_bytes_ = 0;
  const size_t larger = size_bytes + size_bytes / 4;
  CheckCuda(cudaMalloc(&data_, larger), "memory for intermediate results");
  size_bytes_ = larger;
  return data_;
}

Uploads::~Uploads() { Free(); }

void Uploads::Free() {
  LogCuda(cudaFree(device_), "free");
  LogCuda(cudaFreeHost(host_), "free of pinned memory");
  device_ = host_ = nullptr;
  size_bytes_ = 0;
}

size_t Uploads::Reserve(size_t size_bytes) {
  if (next_ + size_bytes > size_bytes_) {
    CheckCuda(cudaStreamSynchronize(stream_), "wait");
    next_ = 0;
  }
  if (size_bytes > size_bytes_) {
    Free();
    const size_t larger = std::max(kRingBytes, 2 * size_bytes);
    CheckCuda(cudaMallocHost(reinterpret_cast<void**>(&host_), larger), "pinned memory");
    CheckCuda(cudaMalloc(reinterpret_cast<void**>(&device_), larger), "memory for arguments");
    size_bytes_ = larger;
  }
  next_ += size_bytes;
  return next_ - size_bytes;
}

void Uploads::Copy(size_t begin, size_t size_bytes) {
  if (size_bytes == 0) return;
  CheckCuda(
      cudaMemcpyAsync(device_ + begin, host_ + begin, size_bytes, cudaMemcpyHostToDevice, stream_),
      "copy of arguments");
}

}  // namespace kvscope::inference::cuda
