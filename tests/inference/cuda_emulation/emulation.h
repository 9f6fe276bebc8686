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

// The device's memory; 1 GiB, or KVSCOPE_CUDA_MEMORY of the environment, unless set. Counts of what
// is allocated begin anew.
void SetMemory(size_t bytes);
// After so many more kernels the device fails: from then on every call gives a sticky error, as
// after an illegal access. Negative, and at first: never. From the environment
// (KVSCOPE_CUDA_FAILS_AFTER) unless set.
void SetFailure(int kernels);

// What was asked of the device since the process began.
struct Counts {
  int graphs_built = 0, graphs_updated = 0;
  int copies = 0;          // by the host
  size_t most_memory = 0;  // allocated at once
};
Counts Count();

}  // namespace kvscope::cuda_emulation
