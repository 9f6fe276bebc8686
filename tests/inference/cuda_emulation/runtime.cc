// The functions of the CUDA runtime that the project calls, on an emulated device.
//
// Streams are lazy: what is put into one waits there until the host waits for it or for an event
// that stands behind it, so that a forgotten wait shows. A graph captures one stream only. Device
// memory can be touched only while device work runs: host code that reads it is found by
// AddressSanitizer.
#include "tests/inference/cuda_emulation/runtime.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include "tests/inference/cuda_emulation/block.h"
#include "tests/inference/cuda_emulation/emulation.h"
#include "tests/inference/cuda_emulation/race_check.h"
#include "tests/inference/cuda_emulation/runtime_state.h"

namespace kvscope::cuda_emulation {
namespace {

constexpr size_t kDefaultDynamicBytes = 48 << 10;  // without cudaFuncSetAttribute
constexpr size_t kMostDynamicBytes = 99 << 10;     // of sm_86 and sm_89, the smallest
constexpr unsigned kMostThreads = 1024, kMostBlocksYZ = 65535;

void Await(const Event& event) {
  if (event.stream != nullptr && !event.come) Drain(*event.stream, &event);
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

Device& device = *new Device;  // never destroyed: tensors may outlive static objects

bool Captures() {
  return std::any_of(device.streams.begin(), device.streams.end(), [](const Stream* stream) {
    return stream->captured != nullptr && stream->capturer == std::this_thread::get_id();
  });
}

void Drain(Stream& stream, const Event* until) {
  if (stream.queue.empty()) return;
  const DeviceAtWork at_work(stream.ordinal);
  while (!stream.queue.empty() && (until == nullptr || !until->come)) {
    const Work work = std::move(stream.queue.front());
    stream.queue.pop_front();
    work();
  }
}

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
