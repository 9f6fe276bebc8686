// How long compute threads wait for each other in a busy loop, on a machine that is not theirs
// alone.
#pragma once

#include <unistd.h>

#include <cstdlib>

namespace kvscope {

// First in main. Starts this program again, same process id and arguments, with GOMP_SPINCOUNT in
// its environment; libgomp reads that only before main. Returns in the new one, where the
// environment already says how to wait (GOMP_SPINCOUNT or OMP_WAIT_POLICY), or if it cannot.
//
// By itself libgomp spins for about 5 ms before a waiting thread sleeps. When anything else wants
// the cores, the spinning thread holds the one that the awaited thread needs, product by product.
// The count here spins for about 100 us, longer than the gap between two products.
inline void RestartWithShortWaits(char** argv) {
  if (std::getenv("GOMP_SPINCOUNT") != nullptr || std::getenv("OMP_WAIT_POLICY") != nullptr) return;
  if (setenv("GOMP_SPINCOUNT", "3000", 0) == 0) execv("/proc/self/exe", argv);
}

}  // namespace kvscope
