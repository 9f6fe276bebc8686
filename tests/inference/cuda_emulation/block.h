// One block of CUDA threads: runs them as fibers until all are done, and keeps the rules of
// barriers and warp operations.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/inference/cuda_emulation/fiber.h"
#include "tests/inference/cuda_emulation/kernel_language.h"

namespace kvscope::cuda_emulation {

constexpr unsigned kLanes = 32;

// Where a thread waits, or that it does not.
enum class ThreadState { kReady, kAtBarrier, kInWarpOperation, kDone };

struct Thread : ThreadPosition {
  unsigned index = 0;  // within the block
  ThreadState state = ThreadState::kReady;
  Place place;  // of the call in which it waits
  unsigned warp() const { return index / kLanes; }
  unsigned lane() const { return index % kLanes; }
};

struct Warp {
  unsigned arrived = 0;  // lanes that wait in the operation under way
  WarpOperation operation = WarpOperation::kSync;
  Place place;
  uint64_t operations = 0;                             // completed
  uint64_t syncs = 0;                                  // completed ones that order memory
  std::array<std::array<uint64_t, kLanes>, 2> values;  // of an even and an odd operation
};

class Block {
 public:
  // `schedule`: the order in which warps and lanes run (see SetSchedule).
  Block(uint3 index, dim3 grid, dim3 block, size_t dynamic_bytes, unsigned schedule);
  Block(const Block&) = delete;
  ~Block();

  // Runs `body` in every thread. Throws KernelError.
  void Run(const std::function<void()>& body);

  // For the running thread; see kernel_language.h.
  void SyncThreads(Place place);
  const uint64_t* ExchangeInWarp(WarpOperation operation, unsigned mask, uint64_t value,
                                 Place place);
  void* SharedVariable(const void* key, size_t size_bytes);
  void* dynamic_shared() const { return shared_; }
  // Ends the kernel in the running thread: what Run throws, and then that it throws. The stacks are
  // given up as they are, so nothing on them may own memory when it is called.
  void Report(const std::string& what);
  [[noreturn]] void Abandon();

  const Thread& running() const { return *running_; }
  const Fiber& running_fiber() const { return *(*fibers_)[running_->index]; }
  const Warp& warp(unsigned index) const { return warps_[index]; }
  uint64_t barriers() const { return barriers_; }  // that all threads have passed
  bool InShared(const void* address) const;

  static Block* current;  // the one that runs; null in host code

 private:
  static void RunThread();
  void Resume(Thread& thread);
  void Yield();
  std::string Deadlock() const;

  std::vector<Thread> threads_;
  std::vector<Warp> warps_;
  std::vector<unsigned> warp_order_, lane_order_;
  Fiber host_{Fiber::Stack::kHost};
  std::vector<std::unique_ptr<Fiber>>* fibers_;
  const std::function<void()>* body_ = nullptr;
  Thread* running_ = nullptr;
  unsigned at_barrier_ = 0, done_ = 0;
  uint64_t barriers_ = 0;
  Place barrier_place_;
  std::string failure_;

  char* shared_ = nullptr;  // dynamic memory, then the static variables, each in a poisoned frame
  size_t shared_used_ = 0, shared_bytes_ = 0;
  struct Variable {
    const void* key;
    void* memory;
  };
  std::vector<Variable> variables_;
};

// 0 ... count - 1 in the order of a schedule; `salt` tells the uses of one seed apart.
std::vector<unsigned> Sequence(unsigned count, unsigned schedule, unsigned salt);

}  // namespace kvscope::cuda_emulation
