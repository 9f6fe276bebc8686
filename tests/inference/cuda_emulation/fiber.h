// Fibers: stacks that a host thread switches between by itself. Each CUDA thread is one.
#pragma once

#include <cstddef>

namespace kvscope::cuda_emulation {

class Fiber {
 public:
  enum class Stack { kHost, kOwn };  // the stack of the thread that runs already, or a new one
  explicit Fiber(Stack stack);
  Fiber(const Fiber&) = delete;
  ~Fiber();

  // The next switch to it calls `run`, which must not return. What it was doing is forgotten.
  void Start(void (*run)());
  // Goes on with `to`; returns when something switches back to `from`, which is running now.
  static void Switch(Fiber& from, Fiber& to);
  bool Holds(const void* address) const;  // whether it lies on this stack

 private:
  static void Enter();
  static void Arrive(void* fake_stack);

  static Fiber* from_;
  static Fiber* to_;
  void (*run_)() = nullptr;
  void* stack_pointer_ = nullptr;
  const char* bottom_ = nullptr;
  size_t size_bytes_ = 0;
};

// Marks memory as untouchable, or touchable again, where AddressSanitizer is linked.
void Poison(const void* memory, size_t size_bytes);
void Unpoison(const void* memory, size_t size_bytes);

}  // namespace kvscope::cuda_emulation
