#include "tests/inference/cuda_emulation/fiber.h"

#include <sys/mman.h>

#include <algorithm>
#include <new>

#ifndef __x86_64__
#error "kvscope_switch_stacks is written for x86-64"
#endif

extern "C" {
// Present only where AddressSanitizer is linked.
[[gnu::weak]] void __sanitizer_start_switch_fiber(void** fake_stack, const void* bottom, size_t);
[[gnu::weak]] void __sanitizer_finish_switch_fiber(void* fake_stack, const void** bottom, size_t*);
[[gnu::weak]] void __asan_poison_memory_region(const volatile void*, size_t);
[[gnu::weak]] void __asan_unpoison_memory_region(const volatile void*, size_t);

// Saves the callee-saved registers and the stack pointer, and loads those of another stack.
void kvscope_switch_stacks(void** save, void* load);
}

asm(R"(
  .text
  .globl kvscope_switch_stacks
  .type kvscope_switch_stacks, @function
kvscope_switch_stacks:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
  .size kvscope_switch_stacks, . - kvscope_switch_stacks
)");

namespace kvscope::cuda_emulation {
namespace {

constexpr size_t kStackBytes = 64 << 10, kGuardBytes = 4096, kSavedRegisters = 6;

}  // namespace

Fiber* Fiber::from_ = nullptr;
Fiber* Fiber::to_ = nullptr;

Fiber::Fiber(Stack stack) {
  if (stack == Stack::kHost) return;
  void* memory = mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  mprotect(memory, kGuardBytes, PROT_NONE);  // an overflow faults
  bottom_ = static_cast<const char*>(memory) + kGuardBytes;
  size_bytes_ = kStackBytes - kGuardBytes;
}

Fiber::~Fiber() {
  if (run_ == nullptr) return;
  Unpoison(bottom_, size_bytes_);
  munmap(const_cast<char*>(bottom_) - kGuardBytes, kStackBytes);
}

void Fiber::Start(void (*run)()) {
  run_ = run;
  Unpoison(bottom_, size_bytes_);  // frames that were given up left their marks
  auto* top = reinterpret_cast<void**>(const_cast<char*>(bottom_) + size_bytes_);
  *--top = nullptr;  // the return address of Enter, which has none: it keeps the stack aligned
  *--top = reinterpret_cast<void*>(&Enter);
  top -= kSavedRegisters;
  std::fill_n(top, kSavedRegisters, nullptr);
  stack_pointer_ = top;
}

void Fiber::Switch(Fiber& from, Fiber& to) {
  from_ = &from;
  to_ = &to;
  void* fake_stack = nullptr;
  if (__sanitizer_start_switch_fiber != nullptr) {
    __sanitizer_start_switch_fiber(&fake_stack, to.bottom_, to.size_bytes_);
  }
  kvscope_switch_stacks(&from.stack_pointer_, to.stack_pointer_);
  Arrive(fake_stack);
}

void Fiber::Enter() {
  Arrive(nullptr);
  to_->run_();
}

// AddressSanitizer alone knows where the host's own stack lies, and tells those who come from it.
void Fiber::Arrive(void* fake_stack) {
  if (__sanitizer_finish_switch_fiber == nullptr) return;
  const void* bottom;
  size_t size_bytes;
  __sanitizer_finish_switch_fiber(fake_stack, &bottom, &size_bytes);
  from_->bottom_ = static_cast<const char*>(bottom);
  from_->size_bytes_ = size_bytes;
}

bool Fiber::Holds(const void* address) const {
  return address >= bottom_ && address < bottom_ + size_bytes_;
}

void Poison(const void* memory, size_t size_bytes) {
  if (__asan_poison_memory_region != nullptr) __asan_poison_memory_region(memory, size_bytes);
}
void Unpoison(const void* memory, size_t size_bytes) {
  if (__asan_unpoison_memory_region != nullptr) __asan_unpoison_memory_region(memory, size_bytes);
}

}  // namespace kvscope::cuda_emulation
