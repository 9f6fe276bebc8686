// The functions of the CUDA runtime that the project calls, on an emulated device.
//
// Streams are lazy: what is put into one waits there until the host waits for it or for an event
// that stands behind it, so that a forgotten wait shows. A graph captures one stream only. Device
// memory can be touched only while device work runs: host code that reads it is found by
// AddressSanitizer.
#include "tests/inference/cuda_emulation/runtime.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
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

thread_local int current = 0;  // the thread's device
thread_local cudaError_t last_error = cudaSuccess;

using Work = std::function<void()>;
struct Node {
  const void* kind;
  Work work;
};
using Nodes = std::vector<Node>;
struct Stream {
  int ordinal = current;
  std::deque<Work> queue;
  std::unique_ptr<Nodes> captured;  // null: it is not capturing
  std::thread::id capturer;         // the thread that began to
};
struct Event {
  Stream* stream = nullptr;  // that it was recorded in; null: in none
  bool come = false;
};
using EventHandle = std::shared_ptr<Event>;  // one that is destroyed may still be waited for
struct Pool {
  int ordinal;
  size_t used = 0, reserved = 0;
};

// A number of the environment.
template <class T>
T Setting(const char* name, T otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : static_cast<T>(std::atoll(text));
}

struct Allocation {
  int ordinal;
  size_t size_bytes;
  Pool* pool = nullptr;  // null: of cudaMalloc
  bool freed = false;    // in the order of its stream: what is called from now on must not use it
};

struct Device {  // all of them: what tells them apart is kept with what is theirs
  std::recursive_mutex mutex;
  std::map<uintptr_t, Allocation> memory;
  int at_work = 0;  // streams that are being drained
  std::vector<Stream*> streams;
  std::map<const void*, size_t> dynamic_limits;  // of kernels that asked for more
  unsigned schedule = Setting("KVSCOPE_CUDA_SCHEDULE", 0);
  size_t memory_bytes = Setting<size_t>("KVSCOPE_CUDA_MEMORY", size_t{1} << 30);
  int kernels_left = Setting("KVSCOPE_CUDA_FAILS_AFTER", -1);  // negative: it does not fail
  bool failed = false;
  int count = Setting("KVSCOPE_CUDA_DEVICES", 1);
  int driver = CUDART_VERSION;
  int allocations_left = -1;  // negative: none fails
  int capability = Setting("KVSCOPE_CUDA_CAPABILITY", 80);
  Counts counts;
};
Device& device = *new Device;  // never destroyed: tensors may outlive static objects

cudaError_t Fail(cudaError_t error) { return last_error = error; }
// What every call of a device that has failed gives.
cudaError_t Sticky() { return device.failed ? cudaErrorIllegalAddress : cudaSuccess; }

class DeviceAtWork {
 public:
  explicit DeviceAtWork(int ordinal) {
    if (device.at_work++ > 0) return;
    for (const auto& [at, memory] : device.memory) {
      if (memory.ordinal == ordinal) Unpoison(reinterpret_cast<void*>(at), memory.size_bytes);
    }
  }
  ~DeviceAtWork() {
    if (--device.at_work > 0) return;
    for (const auto& [at, memory] : device.memory) {
      Poison(reinterpret_cast<void*>(at), memory.size_bytes);
    }
  }
};

// Until the event has come, or to its end.
void Drain(Stream& stream, const Event* until = nullptr) {
  if (stream.queue.empty()) return;
  const DeviceAtWork at_work(stream.ordinal);
  while (!stream.queue.empty() && (until == nullptr || !until->come)) {
    const Work work = std::move(stream.queue.front());
    stream.queue.pop_front();
    work();
  }
}

void Await(const Event& event) {
  if (event.stream != nullptr && !event.come) Drain(*event.stream, &event);
}

Stream& Of(cudaStream_t stream) { return *reinterpret_cast<Stream*>(stream); }
EventHandle& Of(cudaEvent_t event) { return *reinterpret_cast<EventHandle*>(event); }

// What may not be called while a stream captures for this thread
// (cudaStreamCaptureModeThreadLocal), or on one that captures.
bool Captures() {
  return std::any_of(device.streams.begin(), device.streams.end(), [](const Stream* stream) {
    return stream->captured != nullptr && stream->capturer == std::this_thread::get_id();
  });
}
bool Captures(cudaStream_t stream) { return Of(stream).captured != nullptr; }

size_t AllocatedBytes(int ordinal) {
  size_t bytes = 0;
  for (const auto& [at, memory] : device.memory) {
    if (memory.ordinal == ordinal && !memory.freed) bytes += memory.size_bytes;
  }
  return bytes;
}

// Whether this allocation is the one that is to fail.
bool FailsNow() {
  ++device.counts.allocations;
  return device.allocations_left >= 0 && device.allocations_left-- == 0;
}

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

void RunKernel(dim3 grid, dim3 block, size_t shared_bytes, const Work& body) {
  ForgetAccesses();
  if (device.kernels_left == 0) device.failed = true;
  if (device.failed) return;
  if (device.kernels_left > 0) --device.kernels_left;
  const unsigned schedule = device.schedule;
  for (const unsigned i : Sequence(grid.x * grid.y * grid.z, schedule, 17)) {
    Block({i % grid.x, i / grid.x % grid.y, i / (grid.x * grid.y)}, grid, block, shared_bytes,
          schedule)
        .Run(body);
  }
}

}  // namespace

void SetSchedule(unsigned schedule) { device.schedule = schedule; }
void SetDevices(int count) { device.count = count; }
void SetCapability(int capability) { device.capability = capability; }
void SetDriver(int version) { device.driver = version; }
int RuntimeVersion() { return CUDART_VERSION; }
void SetAllocationFailure(int allocations) { device.allocations_left = allocations; }
void SetMemory(size_t bytes) {
  device.memory_bytes = bytes;
  device.counts.most_memory = AllocatedBytes(current);
}
void SetFailure(int kernels) {
  if (device.failed) {
    for (Stream* stream : device.streams) Drain(*stream);  // comes to nothing
  }
  device.kernels_left = kernels;
  device.failed = false;
}

Counts Count() { return device.counts; }

int CurrentDevice() { return current; }

bool InDeviceMemory(const void* memory, size_t size_bytes) {
  return FindMemory(memory, size_bytes) != nullptr;
}

void Enqueue(cudaStream_t stream, const void* kind, std::function<void()> work) {
  Stream& own = Of(stream);
  if (own.captured != nullptr) {
    own.captured->push_back({kind, std::move(work)});
  } else {
    own.queue.push_back(std::move(work));
  }
}

void EnqueueKernel(const void* kernel, dim3 grid, dim3 block, size_t shared_bytes,
                   cudaStream_t stream, std::function<void()> body) {
  const std::lock_guard lock(device.mutex);
  const size_t threads = size_t{block.x} * block.y * block.z;
  if (Of(stream).ordinal != current) {
    Fail(cudaErrorInvalidResourceHandle);
    return;
  }
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
  Enqueue(stream, kernel,
          [=, body = std::move(body)] { RunKernel(grid, block, shared_bytes, body); });
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

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  const std::lock_guard lock(device.mutex);
  device.streams.push_back(new Stream);
  *stream = reinterpret_cast<cudaStream_t>(device.streams.back());
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  const std::lock_guard lock(device.mutex);
  if (Captures(stream)) return Fail(cudaErrorStreamCaptureUnsupported);
  Drain(Of(stream));
  return Sticky();
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  const std::lock_guard lock(device.mutex);
  auto* own = &Of(stream);
  Drain(*own);
  std::erase(device.streams, own);
  delete own;
  return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  *event = reinterpret_cast<cudaEvent_t>(new EventHandle(std::make_shared<Event>()));
  return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete &Of(event);
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  const std::lock_guard lock(device.mutex);
  if (Captures(stream)) return Fail(cudaErrorNotSupported);
  const EventHandle own = Of(event);
  own->stream = &Of(stream);
  Enqueue(stream, nullptr, [own] { own->come = true; });
  return cudaSuccess;
}
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  const std::lock_guard lock(device.mutex);
  if (Captures(stream)) return Fail(cudaErrorNotSupported);
  Enqueue(stream, nullptr, [own = Of(event)] { Await(*own); });
  return cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  const std::lock_guard lock(device.mutex);
  Await(*Of(event));
  return Sticky();
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
  const std::lock_guard lock(device.mutex);
  if (mode != cudaStreamCaptureModeThreadLocal) return Fail(cudaErrorNotSupported);
  if (Captures(stream)) return Fail(cudaErrorIllegalState);
  Of(stream).captured = std::make_unique<Nodes>();
  Of(stream).capturer = std::this_thread::get_id();
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  const std::lock_guard lock(device.mutex);
  if (!Captures(stream)) return Fail(cudaErrorIllegalState);
  *graph = reinterpret_cast<cudaGraph_t>(Of(stream).captured.release());
  return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph, unsigned long long) {
  const std::lock_guard lock(device.mutex);
  if (FailsNow()) return Fail(cudaErrorMemoryAllocation);
  ++device.counts.graphs_built;
  *exec = reinterpret_cast<cudaGraphExec_t>(new Nodes(*reinterpret_cast<Nodes*>(graph)));
  return cudaSuccess;
}
cudaError_t cudaGraphExecUpdate(cudaGraphExec_t exec, cudaGraph_t graph,
                                cudaGraphExecUpdateResultInfo*) {
  auto& own = *reinterpret_cast<Nodes*>(exec);
  const auto& other = *reinterpret_cast<Nodes*>(graph);
  if (!std::equal(own.begin(), own.end(), other.begin(), other.end(),
                  [](const Node& a, const Node& b) { return a.kind == b.kind; })) {
    return Fail(cudaErrorGraphExecUpdateFailure);
  }
  own = other;
  ++device.counts.graphs_updated;
  return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream) {
  const std::lock_guard lock(device.mutex);
  for (const Node& node : *reinterpret_cast<Nodes*>(exec)) Enqueue(stream, node.kind, node.work);
  return Sticky();
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete reinterpret_cast<Nodes*>(graph);
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
  delete reinterpret_cast<Nodes*>(exec);
  return cudaSuccess;
}

cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute attribute, int value) {
  const std::lock_guard lock(device.mutex);
  if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize) return Fail(cudaErrorNotSupported);
  if (static_cast<size_t>(value) > kMostDynamicBytes) return Fail(cudaErrorInvalidValue);
  device.dynamic_limits[kernel] = static_cast<size_t>(value);
  return cudaSuccess;
}

cudaError_t cudaSetDevice(int ordinal) {
  if (ordinal < 0 || ordinal >= device.count) return Fail(cudaErrorInvalidDevice);
  current = ordinal;
  return Sticky();
}
cudaError_t cudaGetDeviceCount(int* count) {
  if (device.driver < CUDART_VERSION) return Fail(cudaErrorInsufficientDriver);
  if (device.count == 0) return Fail(cudaErrorNoDevice);
  *count = device.count;
  return Sticky();
}
cudaError_t cudaDriverGetVersion(int* version) {
  *version = device.driver;
  return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
  switch (attribute) {
    case cudaDevAttrComputeCapabilityMajor:
      *value = device.capability / 10;
      return cudaSuccess;
    case cudaDevAttrComputeCapabilityMinor:
      *value = device.capability % 10;
      return cudaSuccess;
    default:
      return Fail(cudaErrorNotSupported);
  }
}
cudaError_t cudaGetLastError() {
  const cudaError_t error = std::exchange(last_error, cudaSuccess);
  return device.failed ? Sticky() : error;
}
const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
    case cudaErrorInvalidConfiguration:
      return "invalid configuration argument";
    case cudaErrorInvalidValue:
      return "invalid argument";
    case cudaErrorMemoryAllocation:
      return "out of memory";
    case cudaErrorNoDevice:
      return "no CUDA-capable device is detected";
    case cudaErrorIllegalAddress:
      return "an illegal memory access was encountered";
    default:
      return "an error of the emulated device";
  }
}

}  // extern "C"
