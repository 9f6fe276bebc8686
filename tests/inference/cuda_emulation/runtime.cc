// The functions of the CUDA runtime that the project calls, on an emulated device.
//
// Streams are lazy: what is put into one waits there until the host waits for it, so that a
// forgotten wait shows. Device memory can be touched only while device work runs: host code that
// reads it is found by AddressSanitizer.
#include "tests/inference/cuda_emulation/runtime.h"

#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "tests/inference/cuda_emulation/block.h"
#include "tests/inference/cuda_emulation/emulation.h"
#include "tests/inference/cuda_emulation/fiber.h"
#include "tests/inference/cuda_emulation/race_check.h"

namespace kvscope::cuda_emulation {
namespace {

constexpr size_t kDefaultDynamicBytes = 48 << 10;  // without cudaFuncSetAttribute
constexpr size_t kMostDynamicBytes = 99 << 10;     // of sm_86 and sm_89, the smallest
constexpr int kUnset = 0xff;                       // fresh memory reads as NaN
constexpr unsigned kMostThreads = 1024, kMostBlocksYZ = 65535;

using Work = std::function<void()>;
struct Stream {
  std::deque<Work> queue;
};

struct Device {
  std::recursive_mutex mutex;
  std::map<uintptr_t, size_t> memory;  // size of each allocation
  std::vector<Stream*> streams;
  std::map<const void*, size_t> dynamic_limits;  // of kernels that asked for more
  cudaError_t last_error = cudaSuccess;
  unsigned schedule = 0;
  bool scheduled = false;
};
Device& device = *new Device;  // never destroyed: tensors may outlive static objects

cudaError_t Fail(cudaError_t error) { return device.last_error = error; }

unsigned Schedule() {
  if (!std::exchange(device.scheduled, true)) {
    const char* text = std::getenv("KVSCOPE_CUDA_SCHEDULE");
    device.schedule = text == nullptr ? 0 : static_cast<unsigned>(std::atoi(text));
  }
  return device.schedule;
}

class DeviceAtWork {
 public:
  DeviceAtWork() {
    for (const auto& [at, size] : device.memory) Unpoison(reinterpret_cast<void*>(at), size);
  }
  ~DeviceAtWork() {
    for (const auto& [at, size] : device.memory) Poison(reinterpret_cast<void*>(at), size);
  }
};

void Drain(Stream& stream) {
  if (stream.queue.empty()) return;
  const DeviceAtWork at_work;
  while (!stream.queue.empty()) {
    const Work work = std::move(stream.queue.front());
    stream.queue.pop_front();
    work();
  }
}

void RunKernel(dim3 grid, dim3 block, size_t shared_bytes, const Work& body) {
  ForgetAccesses();
  const unsigned schedule = Schedule();
  for (const unsigned i : Sequence(grid.x * grid.y * grid.z, schedule, 17)) {
    Block({i % grid.x, i / grid.x % grid.y, i / (grid.x * grid.y)}, grid, block, shared_bytes,
          schedule)
        .Run(body);
  }
}

}  // namespace

void SetSchedule(unsigned schedule) {
  device.schedule = schedule;
  device.scheduled = true;
}

bool InDeviceMemory(const void* memory, size_t size_bytes) {
  const auto at = reinterpret_cast<uintptr_t>(memory);
  auto next = device.memory.upper_bound(at);
  if (next == device.memory.begin()) return false;
  --next;
  return at + size_bytes <= next->first + next->second;
}

void Enqueue(cudaStream_t stream, std::function<void()> work) {
  reinterpret_cast<Stream*>(stream)->queue.push_back(std::move(work));
}

void EnqueueKernel(const void* kernel, dim3 grid, dim3 block, size_t shared_bytes,
                   cudaStream_t stream, std::function<void()> body) {
  const std::lock_guard lock(device.mutex);
  const size_t threads = size_t{block.x} * block.y * block.z;
  if (grid.x == 0 || grid.y == 0 || grid.z == 0 || grid.y > kMostBlocksYZ ||
      grid.z > kMostBlocksYZ || threads == 0 || threads > kMostThreads || threads % kLanes != 0) {
    Fail(cudaErrorInvalidConfiguration);
    return;
  }
  const auto limit = device.dynamic_limits.find(kernel);
  if (shared_bytes >
      (limit == device.dynamic_limits.end() ? kDefaultDynamicBytes : limit->second)) {
    Fail(cudaErrorInvalidValue);
    return;
  }
  Enqueue(stream, [=, body = std::move(body)] { RunKernel(grid, block, shared_bytes, body); });
}

}  // namespace kvscope::cuda_emulation

using namespace kvscope::cuda_emulation;  // NOLINT(google-build-using-namespace): C functions
extern "C" {

cudaError_t cudaMalloc(void** memory, size_t size_bytes) {
  const std::lock_guard lock(device.mutex);
  if (posix_memalign(memory, 256, size_bytes) != 0) return Fail(cudaErrorMemoryAllocation);
  std::memset(*memory, kUnset, size_bytes);
  device.memory[reinterpret_cast<uintptr_t>(*memory)] = size_bytes;
  Poison(*memory, size_bytes);
  return cudaSuccess;
}

cudaError_t cudaFree(void* memory) {
  const std::lock_guard lock(device.mutex);
  if (memory == nullptr) return cudaSuccess;
  for (Stream* stream : device.streams) Drain(*stream);  // as the driver does
  const auto found = device.memory.find(reinterpret_cast<uintptr_t>(memory));
  if (found == device.memory.end()) return Fail(cudaErrorInvalidValue);
  Unpoison(memory, found->second);
  device.memory.erase(found);
  std::free(memory);
  return cudaSuccess;
}

cudaError_t cudaMallocHost(void** memory, size_t size_bytes) {
  *memory = std::malloc(size_bytes);
  return *memory == nullptr ? Fail(cudaErrorMemoryAllocation) : cudaSuccess;
}
cudaError_t cudaFreeHost(void* memory) {
  std::free(memory);
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t size_bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  const std::lock_guard lock(device.mutex);
  const auto fits = [&](const void* memory, bool on_device) {
    return InDeviceMemory(memory, on_device ? size_bytes : 1) == on_device;
  };
  const bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
  const bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
  if (!fits(to, to_device) || !fits(from, from_device)) return Fail(cudaErrorInvalidValue);
  Enqueue(stream, [=] { std::memmove(to, from, size_bytes); });
  return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  const std::lock_guard lock(device.mutex);
  device.streams.push_back(new Stream);
  *stream = reinterpret_cast<cudaStream_t>(device.streams.back());
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  const std::lock_guard lock(device.mutex);
  Drain(*reinterpret_cast<Stream*>(stream));
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  const std::lock_guard lock(device.mutex);
  auto* own = reinterpret_cast<Stream*>(stream);
  Drain(*own);
  std::erase(device.streams, own);
  delete own;
  return cudaSuccess;
}

cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute attribute, int value) {
  const std::lock_guard lock(device.mutex);
  if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize) return Fail(cudaErrorNotSupported);
  if (static_cast<size_t>(value) > kMostDynamicBytes) return Fail(cudaErrorInvalidValue);
  device.dynamic_limits[kernel] = static_cast<size_t>(value);
  return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int* count) {
  *count = 1;
  return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
  if (attribute != cudaDevAttrComputeCapabilityMajor) return Fail(cudaErrorNotSupported);
  *value = 8;
  return cudaSuccess;
}
cudaError_t cudaGetLastError() { return std::exchange(device.last_error, cudaSuccess); }
const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
    case cudaErrorInvalidConfiguration:
      return "invalid configuration argument";
    case cudaErrorInvalidValue:
      return "invalid argument";
    case cudaErrorMemoryAllocation:
      return "out of memory";
    default:
      return "an error of the emulated device";
  }
}

}  // extern "C"
