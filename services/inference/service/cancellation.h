// Cancellation: stops a piece of work from another thread.
#pragma once

#include <functional>
#include <mutex>
#include <utility>

namespace kvscope::inference {

class Cancellation {
 public:
  void Cancel() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (cancelled_) return;
    cancelled_ = true;
    if (interrupt_) interrupt_();
  }

  bool cancelled() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return cancelled_;
  }

  // `interrupt` wakes the work where it blocks; called at once if cancelled before, never after the
  // next call. Null: nothing to wake.
  void SetInterrupt(std::function<void()> interrupt) {
    const std::lock_guard<std::mutex> lock(mutex_);
    interrupt_ = std::move(interrupt);
    if (cancelled_ && interrupt_) interrupt_();
  }

 private:
  mutable std::mutex mutex_;
  bool cancelled_ = false;
  std::function<void()> interrupt_;
};

}  // namespace kvscope::inference
