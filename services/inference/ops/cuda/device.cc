#include "services/inference/ops/cuda/device.h"

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "services/inference/ops/cuda/status.h"
#include "services/inference/ops/device_error.h"

namespace kvscope::inference::cuda {
namespace {

std::string MiB(size_t bytes) { return std::to_string((bytes + (1 << 20) - 1) >> 20) + " MiB"; }

cudaStream_t MakeStream() {
  cudaStream_t stream;
  CheckCuda(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "a stream");
  return stream;
}

cudaEvent_t MakeEvent(cudaStream_t after) {
  cudaEvent_t event;
  CheckCuda(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "an event");
  CheckCuda(cudaEventRecord(event, after), "record of an event");
  return event;
}

}  // namespace

Device::Device(int ordinal) : ordinal_(ordinal) {
  Use();
  stream_ = MakeStream();
  copies_ = MakeStream();
  cudaMemPoolProps properties = {};
  properties.allocType = cudaMemAllocationTypePinned;
  properties.location.type = cudaMemLocationTypeDevice;
  properties.location.id = ordinal;
  CheckCuda(cudaMemPoolCreate(&pool_, &properties), "a pool of memory");
  uint64_t kept = UINT64_MAX;
  CheckCuda(cudaMemPoolSetAttribute(pool_, cudaMemPoolAttrReleaseThreshold, &kept),
            "what a pool keeps");
}

void Device::Abandon() {
  after_wait_.clear();
  try {
    Wait();
  } catch (const DeviceError&) {  // a device that failed: nothing is left to wait for
  }
}

Device::~Device() {
  Abandon();
  if (step_ != nullptr) LogCuda(cudaGraphExecDestroy(step_), "end of a graph");
  LogCuda(cudaMemPoolDestroy(pool_), "end of a pool");
  LogCuda(cudaStreamDestroy(copies_), "end of a stream");
  LogCuda(cudaStreamDestroy(stream_), "end of a stream");
}

void Device::Use() const {
  static thread_local int used = -1;
  if (used == ordinal_) return;
  CheckCuda(cudaSetDevice(ordinal_), "choice of the device");
  used = ordinal_;
}

void Device::BeginStep() {
  Flush();
  CheckCuda(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal), "begin of a graph");
  capturing_ = true;
}

void Device::Flush() {
  Use();
  if (!std::exchange(capturing_, false)) return;
  cudaGraph_t graph;
  CheckCuda(cudaStreamEndCapture(stream_, &graph), "end of a capture");
  Launch(graph);
}

// A step of the same ops as the last one, on other addresses and sizes, costs an update of the
// graph that is on the device; another one is built.
void Device::Launch(cudaGraph_t graph) {
  if (step_ != nullptr) {
    cudaGraphExecUpdateResultInfo info;
    const cudaError_t error = cudaGraphExecUpdate(step_, graph, &info);
    if (error != cudaSuccess) {
      cudaGetLastError();  // it is no error of the device
      CheckCuda(cudaGraphExecDestroy(std::exchange(step_, nullptr)), "end of a graph");
    }
  }
  if (step_ == nullptr) {
    const cudaError_t error = cudaGraphInstantiate(&step_, graph, 0);
    if (error != cudaSuccess) {  // it takes memory, too
      step_ = nullptr;
      LogCuda(cudaGraphDestroy(graph), "end of a capture");
      after_wait_.clear();  // as in Allocate
    }
    CheckCuda(error, "a graph");
  }
  CheckCuda(cudaGraphDestroy(graph), "end of a capture");
  CheckCuda(cudaGraphLaunch(step_, stream_), "start of a graph");
}

void Device::Wait() {
  const std::vector<std::function<void()>> calls = std::exchange(after_wait_, {});
  Flush();
  CheckCuda(cudaStreamSynchronize(stream_), "wait");
  for (const std::function<void()>& call : calls) call();
}

void Device::Copy(void* to, const void* from, size_t size_bytes, cudaMemcpyKind kind) {
  if (size_bytes > 0) {
    Flush();
    CheckCuda(cudaMemcpyAsync(to, from, size_bytes, kind, stream_), "a copy");
  }
  Wait();
}

std::function<void()> Device::StartToHost(const void* from, void* host, size_t size_bytes) {
  Flush();
  const cudaEvent_t written = MakeEvent(stream_);
  CheckCuda(cudaStreamWaitEvent(copies_, written, 0), "order of streams");
  CheckCuda(cudaEventDestroy(written), "end of an event");  // once it has come
  CheckCuda(cudaMemcpyAsync(host, from, size_bytes, cudaMemcpyDeviceToHost, copies_), "a copy");
  const std::shared_ptr<CUevent_st> copied(
      MakeEvent(copies_), [](cudaEvent_t event) { LogCuda(cudaEventDestroy(event), "an event"); });
  return [copied] { CheckCuda(cudaEventSynchronize(copied.get()), "wait for a copy"); };
}

void* Device::Allocate(size_t size_bytes) {
  void* memory = TryAllocate(size_bytes);
  if (memory != nullptr) return memory;
  after_wait_.clear();  // whoever waits for them gives up
  const DeviceMemoryState state = this->memory();
  throw DeviceError(DeviceError::Kind::kOutOfMemory,
                    "cuda: out of memory: " + MiB(size_bytes) + " are needed, " +
                        MiB(static_cast<size_t>(state.free)) + " of " +
                        MiB(static_cast<size_t>(state.total)) + " are free");
}

void* Device::TryAllocate(size_t size_bytes) {
  Flush();
  void* memory = nullptr;
  const cudaError_t error =
      cudaMallocFromPoolAsync(&memory, size_bytes > 0 ? size_bytes : 1, pool_, stream_);
  if (error == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    return nullptr;
  }
  CheckCuda(error, "memory");
  return memory;
}

void Device::Free(void* memory) {
  if (memory == nullptr) return;
  try {
    Flush();
  } catch (const DeviceError&) {  // the device has failed, and whoever waits for it is told
  }
  LogCuda(cudaFreeAsync(memory, stream_), "free");
}

bool Device::Reserve(size_t size_bytes) {
  void* memory = TryAllocate(size_bytes);
  Free(memory);
  return memory != nullptr;
}

DeviceMemoryState Device::memory() const {
  Use();
  size_t free = 0, total = 0;
  uint64_t reserved = 0, used = 0;
  CheckCuda(cudaMemGetInfo(&free, &total), "the device's memory");
  CheckCuda(cudaMemPoolGetAttribute(pool_, cudaMemPoolAttrReservedMemCurrent, &reserved), "a pool");
  CheckCuda(cudaMemPoolGetAttribute(pool_, cudaMemPoolAttrUsedMemCurrent, &used), "a pool");
  return {.total = static_cast<int64_t>(total),
          .free = static_cast<int64_t>(free + reserved - used),
          .used = static_cast<int64_t>(used)};
}

}  // namespace kvscope::inference::cuda
