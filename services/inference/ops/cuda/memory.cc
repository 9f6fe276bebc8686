#include "services/inference/ops/cuda/memory.h"

#include <algorithm>
#include <utility>

#include "services/inference/ops/cuda/status.h"

namespace kvscope::inference::cuda {
namespace {

constexpr size_t kRingBytes = 4 << 20, kDownloadBytes = 1 << 20;
constexpr size_t kMostRecent = 16;  // arrays that a layer may bring again

}  // namespace

void* DeviceMemory::Reserve(size_t size_bytes) {
  if (size_bytes <= size_bytes_) return data_;
  device_->Free(std::exchange(data_, nullptr));  // before its successor is made
  size_bytes_ = 0;
  const size_t larger = size_bytes + size_bytes / 4;
  data_ = device_->Allocate(larger);
  size_bytes_ = larger;
  return data_;
}

PinnedMemory::~PinnedMemory() { LogCuda(cudaFreeHost(data_), "free of pinned memory"); }

void PinnedMemory::Resize(size_t size_bytes) {
  LogCuda(cudaFreeHost(std::exchange(data_, nullptr)), "free of pinned memory");
  size_bytes_ = 0;
  CheckCuda(cudaMallocHost(reinterpret_cast<void**>(&data_), size_bytes), "pinned memory");
  size_bytes_ = size_bytes;
}

void Uploads::Rewind() {
  device_->Wait();  // for copies from the ring
  next_ = 0;
  recent_.clear();
}

void Uploads::MakeRoom() {
  if (next_ > size_bytes_ / 2) Rewind();
}

void Uploads::Reserve(size_t size_bytes) {
  if (next_ + size_bytes <= size_bytes_) return;
  Rewind();
  if (size_bytes <= size_bytes_) return;
  size_bytes_ = 0;  // until there is memory for both
  const size_t larger = std::max(kRingBytes, 2 * size_bytes);
  ring_.Reserve(larger);
  host_.Resize(larger);
  size_bytes_ = larger;
}

const std::byte* Uploads::Place(const void* array, size_t size_bytes) {
  if (size_bytes == 0) return nullptr;
  auto* ring = static_cast<std::byte*>(ring_.data());
  const auto equal = std::find_if(recent_.begin(), recent_.end(), [&](const Placed& placed) {
    return placed.size_bytes == size_bytes &&
           std::memcmp(host_.data() + placed.begin, array, size_bytes) == 0;
  });
  if (equal != recent_.end()) {
    std::rotate(recent_.begin(), equal, equal + 1);
    return ring + recent_.front().begin;
  }
  const Placed placed = {std::exchange(next_, next_ + Padded(size_bytes)), size_bytes};
  std::memcpy(host_.data() + placed.begin, array, size_bytes);
  CheckCuda(cudaMemcpyAsync(ring + placed.begin, host_.data() + placed.begin, size_bytes,
                            cudaMemcpyHostToDevice, device_->stream()),
            "copy of arguments");
  recent_.push_front(placed);
  if (recent_.size() > kMostRecent) recent_.pop_back();
  return ring + placed.begin;
}

void Downloads::Get(const void* from, size_t size_bytes,
                    std::function<void(const std::byte*)> take) {
  if (next_ + size_bytes > host_.size_bytes()) {
    device_->Wait();
    next_ = 0;  // also where nobody waited any more
    if (size_bytes > host_.size_bytes()) host_.Resize(std::max(kDownloadBytes, 2 * size_bytes));
  }
  std::byte* to = host_.data() + next_;
  CheckCuda(cudaMemcpyAsync(to, from, size_bytes, cudaMemcpyDeviceToHost, device_->stream()),
            "copy of results");
  next_ += size_bytes;
  device_->AfterWait([this, to, take = std::move(take)] {
    next_ = 0;  // all that were asked for are there
    take(to);
  });
}

}  // namespace kvscope::inference::cuda
