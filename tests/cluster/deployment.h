// Deployment: a cluster under test, embedded or as processes over TCP loopback. What happens to a
// cluster can be done to either.
#pragma once

#include <grpcpp/channel.h>

#include <memory>
#include <string>

#include "absl/time/time.h"
#include "tests/cluster/process.h"

namespace kvscope::cluster_test {

class Deployment {
 public:
  virtual ~Deployment() = default;

  virtual std::shared_ptr<grpc::Channel> channel() = 0;  // to the orchestrator that runs now
  virtual std::string hidden_states() const = 0;         // the metrics service's folder
  virtual void AddWorker() = 0;
  virtual void KillWorker(int index) = 0;  // without warning; counted in the order of AddWorker
  // Processes only: the worker stands still, though its connection is open, until it is woken.
  virtual void StallWorker(int index) = 0;
  virtual void WakeWorker(int index) = 0;
  virtual Usage WorkerUsage(int index) = 0;  // processes only
  // Processes only: as StallWorker and WakeWorker.
  virtual void StallMetrics() = 0;
  virtual void WakeMetrics() = 0;
  // Processes only: without warning, and started again at the same address.
  virtual void RestartMetrics() = 0;
  // Ends the orchestrator (embedded: the whole cluster), without warning or as SIGTERM does, and
  // starts another over the same store. Workers that were there come back.
  virtual void RestartOrchestrator(bool gracefully) = 0;
};

enum class Kind { kEmbedded, kProcesses };

struct DeploymentOptions {
  int workers = 1;
  absl::Duration lease = absl::Seconds(30);
  absl::Duration heartbeat = absl::Milliseconds(200);
  int max_attempts = 3;  // processes only
};

// Everything it makes on disk lies in a folder of its own, which goes with it. Its models are
// "pocket-llama" and "qwen2-tiny", which has random weights.
std::unique_ptr<Deployment> Deploy(Kind kind, const DeploymentOptions& options);

}  // namespace kvscope::cluster_test
