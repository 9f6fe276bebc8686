#include "tests/inference/cuda_emulation/block.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <numeric>
#include <random>

#include "tests/inference/cuda_emulation/emulation.h"

namespace kvscope::cuda_emulation {
namespace {

constexpr size_t kStaticBytes = 56 << 10;  // 48 KiB, the most that nvcc allows, and their frames
constexpr size_t kFrameBytes = 64, kSharedAlignment = 128;
constexpr int kUnset = 0xff;  // numbers of such bytes are NaN: a read of unset memory shows

size_t AfterFrame(size_t end) {
  return (end + kFrameBytes + kSharedAlignment - 1) / kSharedAlignment * kSharedAlignment;
}

std::string At(const Place& place) {
  const std::string path = place.file_name();
  return path.substr(path.rfind('/') + 1) + ":" + std::to_string(place.line());
}

bool SamePlace(const Place& a, const Place& b) {
  return a.line() == b.line() && a.column() == b.column() &&
         std::strcmp(a.file_name(), b.file_name()) == 0;
}

// Stacks are kept for later blocks. Never destroyed, so that a leak checker sees them in use.
std::vector<std::unique_ptr<Fiber>>& Fibers(size_t count) {
  static auto& fibers = *new std::vector<std::unique_ptr<Fiber>>;
  while (fibers.size() < count) fibers.push_back(std::make_unique<Fiber>(Fiber::Stack::kOwn));
  return fibers;
}

}  // namespace

Block* Block::current = nullptr;

std::vector<unsigned> Sequence(unsigned count, unsigned schedule, unsigned salt) {
  std::vector<unsigned> order(count);
  std::iota(order.begin(), order.end(), 0u);
  if (schedule == 1) std::reverse(order.begin(), order.end());
  if (schedule > 1) std::shuffle(order.begin(), order.end(), std::mt19937(schedule * 7919 + salt));
  return order;
}

Block::Block(uint3 index, dim3 grid, dim3 block, size_t dynamic_bytes, unsigned schedule)
    : threads_(size_t{block.x} * block.y * block.z),
      warps_(threads_.size() / kLanes),
      fibers_(&Fibers(threads_.size())) {
  const unsigned salt = index.x + 131 * index.y + 1009 * index.z;
  warp_order_ = Sequence(static_cast<unsigned>(warps_.size()), schedule, salt);
  lane_order_ = Sequence(kLanes, schedule, salt + 1);
  for (unsigned i = 0; i < threads_.size(); ++i) {
    Thread& thread = threads_[i];
    thread.index = i;
    thread.thread = {i % block.x, i / block.x % block.y, i / (block.x * block.y)};
    thread.block = index;
    thread.block_dim = block;
    thread.grid_dim = grid;
  }
  shared_used_ = AfterFrame(dynamic_bytes);
  shared_bytes_ = shared_used_ + kStaticBytes;
  // Fresh for each block, so that nothing is inherited from the one before.
  shared_ = static_cast<char*>(std::aligned_alloc(kSharedAlignment, shared_bytes_));
  std::memset(shared_, kUnset, dynamic_bytes);
  Poison(shared_ + dynamic_bytes, shared_bytes_ - dynamic_bytes);
}

Block::~Block() {
  Unpoison(shared_, shared_bytes_);
  std::free(shared_);
}

void Block::Run(const std::function<void()>& body) {
  body_ = &body;
  current = this;
  for (const Thread& thread : threads_) (*fibers_)[thread.index]->Start(&RunThread);
  while (failure_.empty() && done_ < threads_.size()) {
    bool progress = false;
    for (const unsigned warp : warp_order_) {
      for (bool again = true; again && failure_.empty();) {  // a warp runs until it waits
        again = false;
        for (const unsigned lane : lane_order_) {
          Thread& thread = threads_[warp * kLanes + lane];
          if (thread.state != ThreadState::kReady || !failure_.empty()) continue;
          Resume(thread);
          again = progress = true;
        }
      }
    }
    if (!progress && failure_.empty()) failure_ = Deadlock();
  }
  current = nullptr;
  if (!failure_.empty()) throw KernelError(failure_);
}

void Block::RunThread() {
  Block& block = *current;
  (*block.body_)();
  block.running_->state = ThreadState::kDone;
  ++block.done_;
  block.Yield();
  std::abort();  // nothing resumes a thread that is done
}

void Block::Resume(Thread& thread) {
  running_ = &thread;
  Fiber::Switch(host_, *(*fibers_)[thread.index]);
  running_ = nullptr;
}

void Block::Yield() { Fiber::Switch(*(*fibers_)[running_->index], host_); }

void Block::Report(const std::string& what) {
  const auto triple = [](uint3 at) {
    return std::to_string(at.x) + "," + std::to_string(at.y) + "," + std::to_string(at.z);
  };
  failure_ =
      what + " [thread " + triple(running_->thread) + " of block " + triple(running_->block) + "]";
}

void Block::Abandon() {
  Yield();
  std::abort();  // nothing resumes it
}

std::string Block::Deadlock() const {
  std::map<std::string, unsigned> waiting;
  for (const Thread& thread : threads_) {
    if (thread.state == ThreadState::kDone) continue;
    ++waiting[(thread.state == ThreadState::kAtBarrier ? "the barrier" : "the warp operation") +
              (" at " + At(thread.place))];
  }
  std::string text = "deadlock: " + std::to_string(done_) + " threads have returned";
  for (const auto& [place, count] : waiting) {
    text += "; " + std::to_string(count) + " wait in " + place;
  }
  return text;
}

void Block::SyncThreads(Place place) {
  if (at_barrier_ > 0 && !SamePlace(barrier_place_, place)) {
    Report("divergent barrier: " + At(barrier_place_) + " and " + At(place));
    Abandon();
  }
  barrier_place_ = place;
  running_->place = place;
  running_->state = ThreadState::kAtBarrier;
  if (++at_barrier_ == threads_.size()) {
    at_barrier_ = 0;
    ++barriers_;
    for (Thread& thread : threads_) thread.state = ThreadState::kReady;
  }
  Yield();  // the last one too, so that what follows begins in the order of the schedule
}

const uint64_t* Block::ExchangeInWarp(WarpOperation operation, unsigned mask, uint64_t value,
                                      Place place) {
  Warp& warp = warps_[running_->warp()];
  if (mask != ~0u) {
    Report("a warp operation of a part of the warp at " + At(place));
    Abandon();
  }
  if (warp.arrived != 0 && !SamePlace(warp.place, place)) {
    Report("divergent warp operation: " + At(warp.place) + " and " + At(place));
    Abandon();
  }
  // Lanes still read the values of the operation before while others come to this one.
  auto& values = warp.values[warp.operations % 2];
  warp.operation = operation;
  warp.place = place;
  values[running_->lane()] = value;
  warp.arrived |= 1u << running_->lane();
  running_->place = place;
  running_->state = ThreadState::kInWarpOperation;
  if (warp.arrived == ~0u) {
    warp.arrived = 0;
    ++warp.operations;
    if (operation == WarpOperation::kSync) ++warp.syncs;  // the others order no memory
    for (unsigned lane = 0; lane < kLanes; ++lane) {
      threads_[running_->warp() * kLanes + lane].state = ThreadState::kReady;
    }
  }
  Yield();
  return values.data();
}

void* Block::SharedVariable(const void* key, size_t size_bytes) {
  for (const Variable& variable : variables_) {
    if (variable.key == key) return variable.memory;
  }
  if (AfterFrame(shared_used_ + size_bytes) > shared_bytes_) {
    Report("too much shared memory");
    Abandon();
  }
  void* memory = shared_ + shared_used_;
  shared_used_ = AfterFrame(shared_used_ + size_bytes);
  variables_.push_back({key, memory});
  Unpoison(memory, size_bytes);
  std::memset(memory, kUnset, size_bytes);
  return memory;
}

bool Block::InShared(const void* address) const {
  return address >= shared_ && address < shared_ + shared_bytes_;
}

const ThreadPosition& Here() { return Block::current->running(); }
unsigned Lane() { return Block::current->running().lane(); }
void SyncThreads(Place place) { Block::current->SyncThreads(place); }
const uint64_t* ExchangeInWarp(WarpOperation operation, unsigned mask, uint64_t value,
                               Place place) {
  return Block::current->ExchangeInWarp(operation, mask, value, place);
}
void* SharedVariable(const void* key, size_t size_bytes) {
  return Block::current->SharedVariable(key, size_bytes);
}
void* DynamicShared() { return Block::current->dynamic_shared(); }

}  // namespace kvscope::cuda_emulation
