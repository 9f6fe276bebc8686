// Executor: one thread that runs closures in the order they were posted, urgent ones first.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "absl/time/time.h"

namespace kvscope::orchestrator {

// Thread-safe. What is still queued at the end is dropped without being run.
class Executor {
 public:
  // Runs `pulse` on its thread every `interval`, besides what is posted. Null: never.
  explicit Executor(std::function<void()> pulse = nullptr,
                    absl::Duration interval = absl::Milliseconds(200));
  ~Executor();  // as Stop
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  void Post(std::function<void()> task);
  // Before all that Post and TryPost queued, in the order of the urgent ones.
  void PostUrgent(std::function<void()> task);
  // For what a caller can be asked to send again: false, and not queued, if kMaxQueued wait.
  bool TryPost(std::function<void()> task);
  // Waits for the running task and ends the thread. Not from that thread.
  void Stop();

  static constexpr size_t kMaxQueued = 1000;

 private:
  void Run();

  const std::function<void()> pulse_;
  const absl::Duration interval_;
  std::mutex mutex_;
  std::condition_variable posted_;
  std::deque<std::function<void()>> urgent_;
  std::deque<std::function<void()>> tasks_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace kvscope::orchestrator
