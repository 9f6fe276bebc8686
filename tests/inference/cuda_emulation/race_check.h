// Data races between CUDA threads. Kernels are compiled with -fsanitize=thread, but libtsan is not
// linked: the calls that the compiler writes arrive here.
//
// CUDA's order is simple, so there are no vector clocks: two accesses of a block are ordered if one
// of its barriers lies between them, or a __syncwarp if both are of one warp; accesses of two
// blocks of one kernel never are. Shuffles and ballots order no memory.
#pragma once

namespace kvscope::cuda_emulation {

// What was accessed before is ordered before all that follows: a kernel begins.
void ForgetAccesses();

}  // namespace kvscope::cuda_emulation
