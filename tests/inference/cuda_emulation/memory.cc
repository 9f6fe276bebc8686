// Memory of the emulated devices, pools of it, and copies.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "tests/inference/cuda_emulation/fiber.h"
#include "tests/inference/cuda_emulation/runtime.h"
#include "tests/inference/cuda_emulation/runtime_state.h"

namespace kvscope::cuda_emulation {
namespace {

constexpr int kUnset = 0xff;  // fresh memory reads as NaN

cudaError_t Allocate(void** memory, size_t size_bytes, int ordinal, Pool* pool) {
  if (device.failed) return Fail(Sticky());
  const size_t allocated = AllocatedBytes(ordinal) + size_bytes;
  if (FailsNow() || allocated > device.memory_bytes) return Fail(cudaErrorMemoryAllocation);
  device.counts.most_memory = std::max(device.counts.most_memory, allocated);
  if (posix_memalign(memory, 256, size_bytes) != 0) return Fail(cudaErrorMemoryAllocation);
  std::memset(*memory, kUnset, size_bytes);
  device.memory[reinterpret_cast<uintptr_t>(*memory)] = {ordinal, size_bytes, pool};
  if (device.at_work == 0) Poison(*memory, size_bytes);
  return cudaSuccess;
}

// The allocation that all of it lies in, or null.
const Allocation* FindMemory(const void* memory, size_t size_bytes) {
  const auto at = reinterpret_cast<uintptr_t>(memory);
  auto next = device.memory.upper_bound(at);
  if (next == device.memory.begin()) return nullptr;
  --next;
  const uintptr_t end = next->first + next->second.size_bytes;
  return at <= end && size_bytes <= end - at ? &next->second : nullptr;
}

void Release(void* memory) {
  const auto found = device.memory.find(reinterpret_cast<uintptr_t>(memory));
  Unpoison(memory, found->second.size_bytes);
  device.memory.erase(found);
  std::free(memory);
}

}  // namespace

size_t AllocatedBytes(int ordinal) {
  size_t bytes = 0;
  for (const auto& [at, memory] : device.memory) {
    if (memory.ordinal == ordinal && !memory.freed) bytes += memory.size_bytes;
  }
  return bytes;
}

bool FailsNow() {
  ++device.counts.allocations;
  return device.allocations_left >= 0 && device.allocations_left-- == 0;
}

DeviceAtWork::DeviceAtWork(int ordinal) {
  if (device.at_work++ > 0) return;
  for (const auto& [at, memory] : device.memory) {
    if (memory.ordinal == ordinal) Unpoison(reinterpret_cast<void*>(at), memory.size_bytes);
  }
}
DeviceAtWork::~DeviceAtWork() {
  if (--device.at_work > 0) return;
  for (const auto& [at, memory] : device.memory) {
    Poison(reinterpret_cast<void*>(at), memory.size_bytes);
  }
}

bool InDeviceMemory(const void* memory, size_t size_bytes) {
  return FindMemory(memory, size_bytes) != nullptr;
}

}  // namespace kvscope::cuda_emulation

using namespace kvscope::cuda_emulation;  // NOLINT(google-build-using-namespace): C functions
extern "C" {

cudaError_t cudaMalloc(void** memory, size_t size_bytes) {
  const std::lock_guard lock(device.mutex);
  if (Captures()) return Fail(cudaErrorStreamCaptureUnsupported);
  return Allocate(memory, size_bytes, current, nullptr);
}

cudaError_t cudaFree(void* memory) {
  const std::lock_guard lock(device.mutex);
  if (memory == nullptr) return cudaSuccess;
  if (Captures()) return Fail(cudaErrorStreamCaptureUnsupported);
  for (Stream* stream : device.streams) Drain(*stream);  // as the driver does
  if (!InDeviceMemory(memory, 1)) return Fail(cudaErrorInvalidValue);
  Release(memory);
  return cudaSuccess;
}

cudaError_t cudaMallocHost(void** memory, size_t size_bytes) {
  const std::lock_guard lock(device.mutex);
  if (Captures()) return Fail(cudaErrorStreamCaptureUnsupported);
  *memory = FailsNow() ? nullptr : std::malloc(size_bytes);
  if (*memory == nullptr) return Fail(cudaErrorMemoryAllocation);
  std::memset(*memory, kUnset, size_bytes);
  return cudaSuccess;
}
cudaError_t cudaFreeHost(void* memory) {
  std::free(memory);
  return cudaSuccess;
}

cudaError_t cudaMemPoolCreate(cudaMemPool_t* pool, const cudaMemPoolProps* properties) {
  *pool = reinterpret_cast<cudaMemPool_t>(new Pool{properties->location.id});
  return cudaSuccess;
}
cudaError_t cudaMemPoolDestroy(cudaMemPool_t pool) {
  const std::lock_guard lock(device.mutex);
  const auto* own = reinterpret_cast<Pool*>(pool);
  for (Stream* stream : device.streams) Drain(*stream);
  if (own->used > 0) return Fail(cudaErrorInvalidValue);  // here: it would be a leak
  delete own;
  return cudaSuccess;
}
cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t, cudaMemPoolAttr attribute, void*) {
  return attribute == cudaMemPoolAttrReleaseThreshold ? cudaSuccess : Fail(cudaErrorNotSupported);
}
cudaError_t cudaMemPoolGetAttribute(cudaMemPool_t pool, cudaMemPoolAttr attribute, void* value) {
  const std::lock_guard lock(device.mutex);
  const auto* own = reinterpret_cast<Pool*>(pool);
  switch (attribute) {
    case cudaMemPoolAttrUsedMemCurrent:
      *static_cast<uint64_t*>(value) = own->used;
      return cudaSuccess;
    case cudaMemPoolAttrReservedMemCurrent:
      *static_cast<uint64_t*>(value) = own->reserved;
      return cudaSuccess;
    default:
      return Fail(cudaErrorNotSupported);
  }
}
cudaError_t cudaMallocFromPoolAsync(void** memory, size_t size_bytes, cudaMemPool_t pool,
                                    cudaStream_t stream) {
  const std::lock_guard lock(device.mutex);
  if (Captures(stream)) return Fail(cudaErrorNotSupported);  // here: it would be a node
  auto* own = reinterpret_cast<Pool*>(pool);
  if (Of(stream).ordinal != own->ordinal) return Fail(cudaErrorInvalidValue);
  const cudaError_t error = Allocate(memory, size_bytes, own->ordinal, own);
  if (error != cudaSuccess) return error;
  own->used += size_bytes;
  own->reserved = std::max(own->reserved, own->used);
  return cudaSuccess;
}
cudaError_t cudaFreeAsync(void* memory, cudaStream_t stream) {
  const std::lock_guard lock(device.mutex);
  if (Captures(stream)) return Fail(cudaErrorNotSupported);
  const auto found = device.memory.find(reinterpret_cast<uintptr_t>(memory));
  if (found == device.memory.end() || found->second.freed) return Fail(cudaErrorInvalidValue);
  found->second.freed = true;
  found->second.pool->used -= found->second.size_bytes;
  Enqueue(stream, nullptr, [memory] { Release(memory); });
  return cudaSuccess;
}
cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  const std::lock_guard lock(device.mutex);
  *total = device.memory_bytes;
  *free = *total - std::min(*total, AllocatedBytes(current));
  return Sticky();
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t size_bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  const std::lock_guard lock(device.mutex);
  const auto fits = [&](const void* memory, bool on_device) {
    const Allocation* found = FindMemory(memory, on_device ? size_bytes : 1);
    if (found != nullptr && found->ordinal != Of(stream).ordinal) return false;
    return (found != nullptr && !found->freed) == on_device;
  };
  const bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
  const bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
  if (!fits(to, to_device) || !fits(from, from_device)) return Fail(cudaErrorInvalidValue);
  static const char kCopy = 0;
  ++device.counts.copies;
  Enqueue(stream, &kCopy, [=] {
    if (!device.failed) std::memmove(to, from, size_bytes);
  });
  return Sticky();
}

}  // extern "C"
