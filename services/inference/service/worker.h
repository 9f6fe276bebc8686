// Worker: dials the orchestrator, computes what it leases, dials again when the line breaks.
#pragma once

#include <grpcpp/channel.h>

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/inference/service/unit_runner.h"

namespace kvscope::inference {

class WorkerSession;

struct WorkerOptions {
  std::string worker_id;             // unique; see NewWorkerId
  std::vector<std::string> devices;  // what it offers
  int threads = 0;                   // OpenMP threads of a computation; 0: OpenMP's default
};

// HOST-PID-RANDOM.
std::string NewWorkerId();

// What a worker offers for --device: that device, or for "auto" all that work here, best first.
// Errors: those of MakeOps.
absl::StatusOr<std::vector<std::string>> OfferedDevices(const std::string& device);

class Worker {
 public:
  // Starts at once, in threads of its own. `runner` must outlive the worker. `gone` is called from
  // such a thread when the worker will take no work any more, though nobody stops it: the
  // orchestrator will never have it (FailedPrecondition), its device has failed (Aborted).
  Worker(std::shared_ptr<grpc::Channel> orchestrator, UnitRunner& runner, WorkerOptions options,
         std::function<void(const absl::Status&)> gone);
  ~Worker();  // as Kill

  // Takes no more work; what is being computed may end within `timeout`, then it is given back.
  // Returns when the stream has been closed.
  void Drain(absl::Duration timeout);

  // As after SIGKILL: drops the stream without a word and computes no further. Returns at once.
  void Kill();

 private:
  void Run();
  bool Pause(absl::Duration duration);  // false: stopped meanwhile
  std::shared_ptr<WorkerSession> session();

  const std::shared_ptr<grpc::Channel> orchestrator_;
  UnitRunner& runner_;
  const WorkerOptions options_;
  const std::function<void(const absl::Status&)> gone_;

  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  bool ended_ = false;
  std::shared_ptr<WorkerSession> session_;
  std::thread thread_;  // last: uses all of the above
};

}  // namespace kvscope::inference
