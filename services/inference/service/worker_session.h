// WorkerSession: one stream of WorkerService.Work, from Hello to its end.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "kvscope/v1/worker.grpc.pb.h"
#include "services/inference/service/cancellation.h"
#include "services/inference/service/inference_metrics.h"
#include "services/inference/service/sweep_check.h"
#include "services/inference/service/unit_runner.h"
#include "services/inference/service/worker.h"

namespace kvscope::inference {

// Three threads: Run's computes and asks for work, one reads the stream, one sends heartbeats.
class WorkerSession {
 public:
  WorkerSession(const std::shared_ptr<grpc::Channel>& orchestrator, UnitRunner& runner,
                const WorkerOptions& options);

  // Works until the stream ends and returns why: Ok after a drain.
  absl::Status Run();

  // From other threads, at any time. Drain: no more Ready; after what is being computed, hang up.
  // GiveBack: stop computing and return the unit. Kill: drop the stream.
  void Drain();
  void GiveBack();
  void Kill();

  bool welcomed() const;
  // Ok, or why the device is of no use any more: then Run ends as after a drain.
  absl::Status device_failure() const;

 private:
  using Message = v1::OrchestratorMessage;

  struct Held {  // the lease that is being computed
    std::string unit_key;
    int64_t token = 0;
    int64_t streams_done = 0;
    std::shared_ptr<Cancellation> cancellation;
  };

  absl::Status Greet();
  void ReadLoop();
  void HeartbeatLoop();
  void ComputeLoop();

  void Handle(Message message);
  std::optional<Message> NextJob();
  void Compute(const v1::Lease& lease);
  void Check(const Message& first);
  bool SendResult(const v1::Lease& lease, v1::ResultChunk chunk, bool last_part);
  void GiveUp(const absl::Status& status);
  void SendFailure(const v1::Lease& lease, const absl::Status& status);
  void SendReturned(const std::string& unit_key, int64_t token);
  bool Send(const v1::WorkerMessage& message);
  void PauseUntil(absl::Time time);

  const InferenceMetrics& metrics_ = InferenceMetrics::Get();
  UnitRunner& runner_;
  const WorkerOptions& options_;
  std::unique_ptr<v1::WorkerService::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::WorkerMessage, Message>> stream_;
  absl::Duration heartbeat_ = absl::Seconds(5);

  std::mutex write_mutex_;  // one Write at a time
  bool writes_done_ = false;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Message> jobs_;  // leases and parts of checks; at most kMaxJobs: then the reader waits
  std::optional<Held> held_;
  std::shared_ptr<Cancellation> checking_;  // of the check that is being made
  bool welcomed_ = false;
  bool closed_ = false;    // the stream has ended, or will at once
  bool draining_ = false;  // ask for no more
  bool give_back_ = false;
  absl::Status device_failure_;
  int metrics_failures_ = 0;  // in a row
};

}  // namespace kvscope::inference
