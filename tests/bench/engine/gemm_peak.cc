// What the machine can do at all, as one line of JSON: the arithmetic bound of a benchmark divides
// by these figures.
//
//   gemm_peak [--dtype float32|bfloat16]     (both without it; threads: OMP_NUM_THREADS)
//
// The best of several runs counts, so a busy machine is seen through while it pauses now and then;
// `foreign_cores` tells how many cores other processes kept busy meanwhile.
#include <omp.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <string>
#include <string_view>

#include "tests/bench/engine/machine.h"

namespace kvscope::bench {
namespace {

// Core seconds that all processes together have used since the start: user, nice, system, irq,
// softirq.
double AllCoreSeconds() {
  std::ifstream stat("/proc/stat");
  std::string label;
  double user = 0, nice = 0, system = 0, idle = 0, wait = 0, irq = 0, softirq = 0;
  stat >> label >> user >> nice >> system >> idle >> wait >> irq >> softirq;
  return (user + nice + system + irq + softirq) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

double OwnCoreSeconds() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

int Run(std::string_view dtype) {
  const auto begin = std::chrono::steady_clock::now();
  const double foreign_begin = AllCoreSeconds() - OwnCoreSeconds();
  std::printf("{\"threads\": %d", omp_get_max_threads());
  if (dtype != "bfloat16") std::printf(", \"float32_flops\": %.4g", ProductPeak(false));
  if (dtype != "float32") std::printf(", \"bfloat16_flops\": %.4g", ProductPeak(true));
  std::printf(", \"copy_bytes_per_s\": %.4g, \"read_bytes_per_s\": %.4g", CopySpeed(), ReadSpeed());
  const double foreign = AllCoreSeconds() - OwnCoreSeconds() - foreign_begin;
  const double wall =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  std::printf(", \"foreign_cores\": %.2f}\n", foreign > 0 ? foreign / wall : 0.0);
  return 0;
}

}  // namespace
}  // namespace kvscope::bench

int main(int argc, char** argv) {
  const std::string_view dtype = argc == 3 ? argv[2] : "";
  const bool known = dtype == "float32" || dtype == "bfloat16";
  if (argc != 1 && (argc != 3 || std::string_view(argv[1]) != "--dtype" || !known)) {
    std::fputs("usage: gemm_peak [--dtype float32|bfloat16]\n", stderr);
    return 2;
  }
  return kvscope::bench::Run(dtype);
}
