// Device memory, and the way of small arrays to it.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <tuple>

namespace kvscope::inference::cuda {

// Memory of the device that only grows; its content does not outlive a Reserve.
class DeviceMemory {
 public:
  DeviceMemory() = default;
  DeviceMemory(const DeviceMemory&) = delete;
  ~DeviceMemory();

  // At least so many bytes, aligned to 256. Waits for all work on the device when it must grow.
  void* Reserve(size_t size_bytes);
  void* data() const { return data_; }

 private:
  void* data_ = nullptr;
  size_t size_bytes_ = 0;
};

// Copies arrays of the host to the device without waiting: they are read from a ring of pinned
// memory, so the caller's may change at once. When the ring is full, a Put waits for the stream.
class Uploads {
 public:
  explicit Uploads(cudaStream_t stream) : stream_(stream) {}
  Uploads(const Uploads&) = delete;
  ~Uploads();

  // The arrays on the device, for kernels that are put into the stream before the next Put; null
  // where one is empty.
  template <class... T>
  std::tuple<const T*...> Put(std::span<const T>... arrays) {
    const size_t size_bytes = (Padded(arrays.size_bytes()) + ... + 0);
    const size_t begin = Reserve(size_bytes);
    size_t at = begin;
    const auto place = [&]<class U>(std::span<const U> array) -> const U* {
      if (array.empty()) return nullptr;
      std::memcpy(host_ + at, array.data(), array.size_bytes());
      const auto* to = reinterpret_cast<const U*>(device_ + at);
      at += Padded(array.size_bytes());
      return to;
    };
    const std::tuple<const T*...> placed{place(arrays)...};
    Copy(begin, at - begin);
    return placed;
  }

 private:
  static size_t Padded(size_t bytes) { return (bytes + 15) / 16 * 16; }
  size_t Reserve(size_t size_bytes);  // returns where they begin
  void Copy(size_t begin, size_t size_bytes);
  void Free();

  cudaStream_t stream_;
  std::byte* host_ = nullptr;
  std::byte* device_ = nullptr;
  size_t size_bytes_ = 0, next_ = 0;
};

}  // namespace kvscope::inference::cuda
