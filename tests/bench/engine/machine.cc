#include "tests/bench/engine/machine.h"

#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <oneapi/dnnl/dnnl.hpp>

namespace kvscope::bench {
namespace {

constexpr int64_t kBlockBytes = int64_t{1} << 30;

double BestSeconds(int runs, const std::function<void()>& work) {
  work();
  double best = 1e9;
  for (int i = 0; i < runs; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    work();
    best = std::min(
        best, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  return best;
}

double ProductSpeed(int64_t m, int64_t k, int64_t n, bool bfloat16) {
  using dnnl::memory;
  const auto type = bfloat16 ? memory::data_type::bf16 : memory::data_type::f32;
  const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  dnnl::stream stream(engine);
  const memory::desc x({m, k}, type, memory::format_tag::ab);
  const memory::desc w({k, n}, type, memory::format_tag::any);
  const memory::desc y({m, n}, memory::data_type::f32, memory::format_tag::ab);
  const dnnl::matmul::primitive_desc desc(dnnl::matmul::desc(x, w, y), engine);
  memory a(x, engine), b(desc.weights_desc(), engine), c(y, engine);
  std::memset(a.get_data_handle(), 0, x.get_size());
  std::memset(b.get_data_handle(), 0, desc.weights_desc().get_size());
  const dnnl::matmul product(desc);
  const double seconds = BestSeconds(8, [&] {
    product.execute(stream, {{DNNL_ARG_SRC, a}, {DNNL_ARG_WEIGHTS, b}, {DNNL_ARG_DST, c}});
    stream.wait();
  });
  return 2.0 * static_cast<double>(m * k * n) / seconds;
}

}  // namespace

double ProductPeak(bool bfloat16) {
  double best = 0;
  try {
    for (const int64_t m : {256, 512, 1024}) {
      for (const int64_t k : {1024, 2048, 3072}) {
        for (const int64_t n : {2048, 4096}) {
          best = std::max(best, ProductSpeed(m, k, n, bfloat16));
        }
      }
    }
  } catch (const dnnl::error& error) {
    if (error.status != dnnl_unimplemented) throw;
  }
  return best;
}

double CopySpeed() {
  const std::unique_ptr<char[]> from(new char[kBlockBytes]), to(new char[kBlockBytes]);
  const auto work = [&] {
#pragma omp parallel
    {
      const int64_t part = kBlockBytes / omp_get_num_threads();
      const int64_t begin = part * omp_get_thread_num();
      std::memcpy(to.get() + begin, from.get() + begin, static_cast<size_t>(part));
    }
  };
  std::memset(from.get(), 1, kBlockBytes);
  return 2.0 * kBlockBytes / BestSeconds(5, work);
}

double ReadSpeed() {
  const std::unique_ptr<int64_t[]> from(new int64_t[kBlockBytes / 8]);
  std::fill_n(from.get(), kBlockBytes / 8, 1);
  volatile int64_t sink = 0;
  const double seconds = BestSeconds(5, [&] {
    int64_t sum = 0;
#pragma omp parallel for reduction(+ : sum) schedule(static)
    for (int64_t line = 0; line < kBlockBytes / 64; ++line) {
      __builtin_prefetch(from.get() + line * 8 + 512);  // beyond the page that hardware follows
      for (int64_t i = 0; i < 8; ++i) sum += from[line * 8 + i];
    }
    sink = sink + sum;
  });
  return kBlockBytes / seconds;
}

}  // namespace kvscope::bench
