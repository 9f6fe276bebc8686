// The state of the emulated devices, which the files of the runtime share.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "tests/inference/cuda_emulation/emulation.h"

namespace kvscope::cuda_emulation {

inline thread_local int current = 0;  // the thread's device
inline thread_local cudaError_t last_error = cudaSuccess;

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
extern Device& device;

inline cudaError_t Fail(cudaError_t error) { return last_error = error; }
// What every call of a device that has failed gives.
inline cudaError_t Sticky() { return device.failed ? cudaErrorIllegalAddress : cudaSuccess; }

inline Stream& Of(cudaStream_t stream) { return *reinterpret_cast<Stream*>(stream); }
inline EventHandle& Of(cudaEvent_t event) { return *reinterpret_cast<EventHandle*>(event); }

// What may not be called while a stream captures for this thread
// (cudaStreamCaptureModeThreadLocal), or on one that captures.
bool Captures();
inline bool Captures(cudaStream_t stream) { return Of(stream).captured != nullptr; }
// Runs what stands in a stream: until the event has come, or to its end.
void Drain(Stream& stream, const Event* until = nullptr);

// memory.cc

// By tensors and others, on one device.
size_t AllocatedBytes(int ordinal);
// Whether this allocation is the one that is to fail.
bool FailsNow();
// Memory of a device may be touched while one of these lives.
class DeviceAtWork {
 public:
  explicit DeviceAtWork(int ordinal);
  DeviceAtWork(const DeviceAtWork&) = delete;
  ~DeviceAtWork();
};

}  // namespace kvscope::cuda_emulation
