// A CUDA device made of fibers, for tests: kernels and the host code around them run as they would
// on one, and what would be undefined there is found out. See README.md.
#pragma once

#include <cstddef>
#include <stdexcept>

namespace kvscope::cuda_emulation {

// A kernel broke a rule of the device. It is thrown where the host waits for the kernel.
struct KernelError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The order in which blocks, warps and threads run: 0: ascending, 1: descending, else: a random
// one of this seed. From the environment (KVSCOPE_CUDA_SCHEDULE) unless set.
void SetSchedule(unsigned schedule);

// How many devices there are; 1, or KVSCOPE_CUDA_DEVICES of the environment, unless set. They fail
// together.
void SetDevices(int count);
// Their compute capability (75 is 7.5); 80, or KVSCOPE_CUDA_CAPABILITY, unless set.
void SetCapability(int capability);
// The driver's version, as CUDA counts (12080 is 12.8); the runtime's unless set.
void SetDriver(int version);
int RuntimeVersion();
// The memory of each device; 1 GiB, or KVSCOPE_CUDA_MEMORY of the environment, unless set. Counts
// of what is allocated begin anew.
void SetMemory(size_t bytes);
// After so many more allocations, of device memory, pinned, or of a graph, one finds too little, as
// if another process had taken it meanwhile. Negative, and at first: none does.
void SetAllocationFailure(int allocations);
// After so many more kernels the device fails: from then on every call gives a sticky error, as
// after an illegal access. Negative, and at first: never. From the environment
// (KVSCOPE_CUDA_FAILS_AFTER) unless set.
void SetFailure(int kernels);

// What was asked of the device since the process began.
struct Counts {
  int graphs_built = 0, graphs_updated = 0;
  int copies = 0;          // by the host
  int allocations = 0;     // as above, those that failed included
  size_t most_memory = 0;  // allocated at once
};
Counts Count();

}  // namespace kvscope::cuda_emulation
