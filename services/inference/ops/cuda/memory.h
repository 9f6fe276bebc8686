// Memory of the device that ops keep, and the way of small arrays to it and from it.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <tuple>

#include "services/inference/ops/cuda/device.h"

namespace kvscope::inference::cuda {

// Memory of the device that only grows; its content does not outlive a Reserve.
class DeviceMemory {
 public:
  explicit DeviceMemory(std::shared_ptr<Device> device) : device_(std::move(device)) {}
  DeviceMemory(const DeviceMemory&) = delete;
  ~DeviceMemory() { device_->Free(data_); }

  // At least so many bytes, aligned to 256.
  void* Reserve(size_t size_bytes);
  void* data() const { return data_; }

 private:
  std::shared_ptr<Device> device_;
  void* data_ = nullptr;
  size_t size_bytes_ = 0;
};

// Page-locked memory of the host, which copies need if they are not to wait.
class PinnedMemory {
 public:
  PinnedMemory() = default;
  PinnedMemory(const PinnedMemory&) = delete;
  ~PinnedMemory();

  // Exactly so many bytes; what was there is lost.
  void Resize(size_t size_bytes);
  std::byte* data() const { return data_; }
  size_t size_bytes() const { return size_bytes_; }

 private:
  std::byte* data_ = nullptr;
  size_t size_bytes_ = 0;
};

// Copies arrays of the host to the device without waiting: they are read from a ring of pinned
// memory, so the caller's may change at once. When the ring is full, a Put waits for the stream.
// Of the arrays that each layer of a step brings again, one copy is made.
class Uploads {
 public:
  explicit Uploads(const std::shared_ptr<Device>& device) : device_(device), ring_(device) {}

  // Waits if the ring is more than half full, so that no Put has to amid a step.
  void MakeRoom();
  // The arrays on the device, for kernels that are put into the stream before the next Put; null
  // where one is empty.
  template <class... T>
  std::tuple<const T*...> Put(std::span<const T>... arrays) {
    Reserve((Padded(arrays.size_bytes()) + ... + 0));
    return {reinterpret_cast<const T*>(Place(arrays.data(), arrays.size_bytes()))...};
  }

 private:
  struct Placed {
    size_t begin, size_bytes;
  };

  static size_t Padded(size_t bytes) { return (bytes + 15) / 16 * 16; }
  void Rewind();  // to the ring's begin
  void Reserve(size_t size_bytes);
  const std::byte* Place(const void* array, size_t size_bytes);

  std::shared_ptr<Device> device_;
  PinnedMemory host_;
  DeviceMemory ring_;
  size_t size_bytes_ = 0;  // of both
  size_t next_ = 0;
  std::deque<Placed> recent_;
};

// Copies arrays of the device to the host without waiting.
class Downloads {
 public:
  explicit Downloads(std::shared_ptr<Device> device) : device_(std::move(device)) {}

  // `take` gets the bytes at the device's next Wait.
  void Get(const void* from, size_t size_bytes, std::function<void(const std::byte*)> take);

 private:
  std::shared_ptr<Device> device_;
  PinnedMemory host_;
  size_t next_ = 0;  // used since the last Wait
};

}  // namespace kvscope::inference::cuda
