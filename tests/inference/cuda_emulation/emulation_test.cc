// The emulated device itself: what a real one gives and a simple stand-in would hide, and that
// broken kernels are found. Some are found by one of the three builds only (see CMakeLists.txt).
#include "tests/inference/cuda_emulation/emulation.h"

#include <cublas_v2.h>
#include <cuda_runtime.h>

#include <bit>
#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/inference/ops/device_error.h"
#include "tests/inference/cuda_emulation/emulation_kernels.h"

namespace kvscope::cuda_emulation {
namespace {

constexpr std::string_view kBuild = KVSCOPE_EMULATION_BUILD;  // plain, race or asan
constexpr int kThreads = 64;

class Emulation : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), cudaSuccess);
    ASSERT_EQ(cudaMalloc(reinterpret_cast<void**>(&numbers_), kThreads * sizeof(int)), cudaSuccess);
    std::vector<int> ascending;
    for (int i = 0; i < kThreads; ++i) ascending.push_back(i);
    cudaMemcpyAsync(numbers_, ascending.data(), kThreads * sizeof(int), cudaMemcpyHostToDevice,
                    stream_);
    cudaStreamSynchronize(stream_);
  }
  void TearDown() override {
    cudaStreamDestroy(stream_);
    cudaFree(numbers_);
  }
  std::vector<int> Numbers() {
    std::vector<int> host(kThreads);
    cudaMemcpyAsync(host.data(), numbers_, kThreads * sizeof(int), cudaMemcpyDeviceToHost, stream_);
    cudaStreamSynchronize(stream_);
    return host;
  }
  // Launches and waits; what was found, or nothing.
  std::string Report(void (*launch)(int*, cudaStream_t)) {
    launch(numbers_, stream_);
    try {
      cudaStreamSynchronize(stream_);
    } catch (const KernelError& error) {
      return error.what();
    }
    return "";
  }

  cudaStream_t stream_ = nullptr;
  int* numbers_ = nullptr;
};

using EmulationDeathTest = Emulation;
using testing::HasSubstr;

TEST_F(Emulation, WarpAndBlockOperations) {
  WarpResults* device;
  cudaMalloc(reinterpret_cast<void**>(&device), kThreads * sizeof(WarpResults));
  for (const unsigned schedule : {0u, 1u, 9u}) {
    SetSchedule(schedule);
    WarpAndBlock(device, kThreads, stream_);
    std::vector<WarpResults> results(kThreads);
    cudaMemcpyAsync(results.data(), device, kThreads * sizeof(WarpResults), cudaMemcpyDeviceToHost,
                    stream_);
    cudaStreamSynchronize(stream_);
    for (unsigned i = 0; i < kThreads; ++i) {
      unsigned ballot = 0;
      for (unsigned lane = 0; lane < 32; ++lane) {
        ballot |= static_cast<unsigned>((i / 32 * 32 + lane) % 3 == 0) << lane;
      }
      EXPECT_EQ(results[i].ballot, ballot);
      EXPECT_EQ(results[i].neighbour, i ^ 1);
      // From a later part of the warp nothing comes, from an earlier one a value does.
      EXPECT_EQ(results[i].neighbour_of_eight, (i ^ 12) % 32 < (i % 32 / 8 + 1) * 8 ? i ^ 12 : i);
      EXPECT_EQ(results[i].from_shared, 100 + kThreads - 1 - i);
    }
  }
  SetSchedule(0);
  cudaFree(device);
}

TEST_F(Emulation, WorkWaitsForTheHostToWait) {
  int host = -1;
  Store(numbers_, 7, stream_);
  cudaMemcpyAsync(&host, numbers_, sizeof host, cudaMemcpyDeviceToHost, stream_);
  EXPECT_EQ(host, -1);
  cudaStreamSynchronize(stream_);
  EXPECT_EQ(host, 7);
}

TEST_F(Emulation, FreshMemoryIsNotANumber) {
  float* device;
  float host = 0;
  cudaMalloc(reinterpret_cast<void**>(&device), sizeof host);
  cudaMemcpyAsync(&host, device, sizeof host, cudaMemcpyDeviceToHost, stream_);
  cudaStreamSynchronize(stream_);
  EXPECT_NE(host, host);
  cudaFree(device);
}

TEST_F(Emulation, DynamicSharedMemory) {
  ReverseInDynamicShared(numbers_, kThreads, kThreads * sizeof(float), stream_);
  const std::vector<int> reversed = Numbers();
  for (int i = 0; i < kThreads; ++i) EXPECT_EQ(reversed[i], kThreads - 1 - i);
}

TEST_F(Emulation, RefusesWhatTheDriverRefuses) {
  int host[2 * kThreads] = {};
  EXPECT_EQ(cudaMemcpyAsync(host, numbers_, sizeof host, cudaMemcpyDeviceToHost, stream_),
            cudaErrorInvalidValue);  // longer than the allocation
  EXPECT_EQ(cudaMemcpyAsync(host, host + 8, 4, cudaMemcpyDeviceToHost, stream_),
            cudaErrorInvalidValue);  // no device memory
  EXPECT_EQ(cudaMemcpyAsync(host, numbers_, 4, cudaMemcpyHostToDevice, stream_),
            cudaErrorInvalidValue);  // the wrong direction
  cudaGetLastError();
}

TEST_F(Emulation, LaunchesThatTheDriverRefuses) {
  const auto refusal = [](const std::function<void()>& launch) -> std::string {
    try {
      launch();
    } catch (const inference::DeviceError& error) {
      return error.what();
    }
    return "";
  };
  for (const unsigned threads : {0u, 2048u, 40u}) {  // 40: a part of a warp
    EXPECT_THAT(refusal([&] { WarpAndBlock(nullptr, threads, stream_); }),
                HasSubstr("invalid configuration"));
  }
  EXPECT_THAT(refusal([&] { ReverseInDynamicShared(numbers_, 1, 100 << 10, stream_); }),
              HasSubstr("invalid argument"));
}

TEST_F(Emulation, FindsBrokenBarriersAndWarpOperations) {
  for (const unsigned schedule : {0u, 1u, 9u}) {
    SetSchedule(schedule);
    EXPECT_THAT(Report(DivergentBarrier), HasSubstr("divergent barrier: emulation_kernels.cu:"));
    EXPECT_THAT(Report(SkippedBarrier), HasSubstr("deadlock: 1 threads have returned; 63 wait in"));
    EXPECT_THAT(Report(SkippedShuffle), HasSubstr("31 wait in the warp operation at"));
    EXPECT_THAT(Report(DivergentShuffle), HasSubstr("divergent warp operation"));
    EXPECT_THAT(Report(PartOfAWarp), HasSubstr("a part of the warp"));
  }
  SetSchedule(0);
  Store(numbers_, 5, stream_);  // the device works on
  EXPECT_EQ(Numbers()[0], 5);
}

TEST_F(Emulation, FindsRaces) {
  if (kBuild != "race") GTEST_SKIP() << "the race build checks it";
  for (const unsigned schedule : {0u, 1u, 9u}) {
    SetSchedule(schedule);
    EXPECT_THAT(Report(RaceInShared), HasSubstr("data race on shared memory"));
    EXPECT_THAT(Report(RaceOfWarps), HasSubstr("data race on shared memory"));
    EXPECT_THAT(Report(RaceOfBlocks), HasSubstr("of another block"));
  }
  SetSchedule(0);
  Store(numbers_, 1, stream_);
  EXPECT_EQ(Numbers()[0], 1);  // an access of the host, and kernels after each other, are no race
}

TEST_F(EmulationDeathTest, FindsAccessOutOfBounds) {
  if (kBuild != "asan") GTEST_SKIP() << "the build with AddressSanitizer checks it";
  EXPECT_DEATH(numbers_[0] = 1, "use-after-poison");  // by the host
  EXPECT_DEATH(
      {
        Store(numbers_ + kThreads, 1, stream_);
        cudaStreamSynchronize(stream_);
      },
      "heap-buffer-overflow");
  EXPECT_DEATH(
      {
        ReverseInDynamicShared(numbers_, kThreads, kThreads, stream_);
        cudaStreamSynchronize(stream_);
      },
      "use-after-poison");
}

TEST_F(Emulation, ProductsOfBFloat16) {
  const int m = 3, n = 2, k = 37;
  const auto bits = [](float x) { return static_cast<uint16_t>(std::bit_cast<uint32_t>(x) >> 16); };
  std::vector<uint16_t> a, b;  // small whole numbers: the products are exact
  for (int i = 0; i < m * k; ++i) a.push_back(bits(static_cast<float>(i * 7 % 11 - 5)));
  for (int i = 0; i < n * k; ++i) b.push_back(bits(static_cast<float>(i * 5 % 13 - 6)));
  void *device_a, *device_b, *device_c;
  cudaMalloc(&device_a, a.size() * 2);
  cudaMalloc(&device_b, b.size() * 2);
  cudaMalloc(&device_c, m * n * sizeof(float));
  cudaMemcpyAsync(device_a, a.data(), a.size() * 2, cudaMemcpyHostToDevice, stream_);
  cudaMemcpyAsync(device_b, b.data(), b.size() * 2, cudaMemcpyHostToDevice, stream_);
  cublasHandle_t blas;
  cublasCreate(&blas);
  cublasSetStream(blas, stream_);
  const float one = 1, zero = 0;
  const auto multiply = [&](cublasOperation_t op, int lda) {
    return cublasGemmEx(blas, op, CUBLAS_OP_N, m, n, k, &one, device_a, CUDA_R_16BF, lda, device_b,
                        CUDA_R_16BF, k, &zero, device_c, CUDA_R_32F, m, CUBLAS_COMPUTE_32F,
                        CUBLAS_GEMM_DEFAULT);
  };
  EXPECT_EQ(multiply(CUBLAS_OP_T, k), CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(multiply(CUBLAS_OP_T, k - 1), CUBLAS_STATUS_INVALID_VALUE);
  EXPECT_EQ(multiply(CUBLAS_OP_N, m - 1), CUBLAS_STATUS_INVALID_VALUE);
  EXPECT_EQ(multiply(CUBLAS_OP_C, k), CUBLAS_STATUS_NOT_SUPPORTED);
  std::vector<float> c(m * n);
  cudaMemcpyAsync(c.data(), device_c, c.size() * sizeof(float), cudaMemcpyDeviceToHost, stream_);
  cudaStreamSynchronize(stream_);
  for (int j = 0; j < n; ++j) {
    for (int i = 0; i < m; ++i) {
      int expected = 0;
      for (int p = 0; p < k; ++p) {
        expected += ((i * k + p) * 7 % 11 - 5) * ((j * k + p) * 5 % 13 - 6);
      }
      EXPECT_EQ(c[j * m + i], static_cast<float>(expected));
    }
  }
  cublasDestroy(blas);
  cudaFree(device_a);
  cudaFree(device_b);
  cudaFree(device_c);
}

TEST_F(Emulation, BatchesOfProducts) {
  constexpr int kM = 2, kN = 3, kK = 5, kCount = 2;
  std::vector<float> host(kCount * (kM * kK + kK * kN + kM * kN));
  for (size_t i = 0; i < host.size(); ++i) host[i] = static_cast<float>(i * 7 % 11) - 5;
  float* numbers;
  void** addresses;
  cudaMalloc(reinterpret_cast<void**>(&numbers), host.size() * sizeof(float));
  cudaMalloc(reinterpret_cast<void**>(&addresses), 3 * kCount * sizeof(void*));
  const size_t b_begin = kCount * kM * kK, c_begin = b_begin + kCount * kK * kN;
  std::vector<void*> where;
  for (size_t i = 0; i < kCount; ++i) where.push_back(numbers + i * kM * kK);
  for (size_t i = 0; i < kCount; ++i) where.push_back(numbers + b_begin + i * kK * kN);
  for (size_t i = 0; i < kCount; ++i) where.push_back(numbers + c_begin + i * kM * kN);
  cublasHandle_t blas;
  cublasCreate(&blas);
  cublasSetStream(blas, stream_);
  const float one = 1, zero = 0;
  // Before their numbers and addresses are there: they are read when the stream comes to it.
  cudaMemcpyAsync(numbers, host.data(), host.size() * sizeof(float), cudaMemcpyHostToDevice,
                  stream_);
  cudaMemcpyAsync(addresses, where.data(), where.size() * sizeof(void*), cudaMemcpyHostToDevice,
                  stream_);
  const auto multiply = [&](void** all) {
    return cublasGemmBatchedEx(blas, CUBLAS_OP_N, CUBLAS_OP_N, kM, kN, kK, &one, all, CUDA_R_32F,
                               kM, all + kCount, CUDA_R_32F, kK, &zero, all + 2 * kCount,
                               CUDA_R_32F, kM, kCount, CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT);
  };
  ASSERT_EQ(multiply(addresses), CUBLAS_STATUS_SUCCESS);
  std::vector<float> c(kCount * kM * kN);
  cudaMemcpyAsync(c.data(), numbers + c_begin, c.size() * sizeof(float), cudaMemcpyDeviceToHost,
                  stream_);
  cudaStreamSynchronize(stream_);
  for (size_t batch = 0; batch < kCount; ++batch) {
    for (size_t j = 0; j < kN; ++j) {
      for (size_t i = 0; i < kM; ++i) {
        float expected = 0;
        for (size_t p = 0; p < kK; ++p) {
          expected +=
              host[batch * kM * kK + p * kM + i] * host[b_begin + (batch * kN + j) * kK + p];
        }
        EXPECT_EQ(c[(batch * kN + j) * kM + i], expected);
      }
    }
  }
  ASSERT_EQ(multiply(where.data()), CUBLAS_STATUS_SUCCESS);
  EXPECT_THAT([&] { cudaStreamSynchronize(stream_); },
              testing::ThrowsMessage<KernelError>(testing::HasSubstr("not in device memory")));
  cublasDestroy(blas);
  cudaFree(numbers);
  cudaFree(addresses);
}

}  // namespace
}  // namespace kvscope::cuda_emulation
