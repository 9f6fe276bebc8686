#include "services/orchestrator/service/executor.h"

#include <chrono>
#include <utility>

namespace kvscope::orchestrator {

Executor::Executor(std::function<void()> pulse, absl::Duration interval)
    : pulse_(std::move(pulse)), interval_(interval), thread_([this] { Run(); }) {}

Executor::~Executor() { Stop(); }

void Executor::Post(std::function<void()> task) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (stopping_) return;
    tasks_.push_back(std::move(task));
  }
  posted_.notify_one();
}

void Executor::PostUrgent(std::function<void()> task) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (stopping_) return;
    urgent_.push_back(std::move(task));
  }
  posted_.notify_one();
}

bool Executor::TryPost(std::function<void()> task) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (stopping_ || tasks_.size() >= kMaxQueued) return false;
    tasks_.push_back(std::move(task));
  }
  posted_.notify_one();
  return true;
}

void Executor::Stop() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  posted_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Executor::Run() {
  const auto interval = absl::ToChronoMilliseconds(interval_);
  auto next_pulse = std::chrono::steady_clock::now() + interval;
  std::unique_lock<std::mutex> lock(mutex_);
  while (!stopping_) {
    const bool due = pulse_ != nullptr && std::chrono::steady_clock::now() >= next_pulse;
    if (due) {
      lock.unlock();
      pulse_();
      next_pulse = std::chrono::steady_clock::now() + interval;
      lock.lock();
    } else if (!urgent_.empty() || !tasks_.empty()) {
      std::deque<std::function<void()>>& queue = urgent_.empty() ? tasks_ : urgent_;
      std::function<void()> task = std::move(queue.front());
      queue.pop_front();
      lock.unlock();
      task();
      task = nullptr;  // what it holds is let go outside the lock
      lock.lock();
    } else if (pulse_ != nullptr) {
      posted_.wait_until(lock, next_pulse);
    } else {
      posted_.wait(lock);
    }
  }
}

}  // namespace kvscope::orchestrator
