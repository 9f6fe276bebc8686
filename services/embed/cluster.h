// Cluster: the three services and their workers in one process, joined by in-process channels; the
// classes and the code path are those of the separate binaries. Source of the idea: etcd's embed.
#pragma once

#include <grpcpp/channel.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/rpc/security.h"

namespace kvscope::embed {

struct ClusterOptions {
  std::string store;       // SQLite file of the orchestrator; made if it does not exist
  std::string features;    // folder of the metrics service's hidden states; empty: none are kept
  std::string models_dir;  // where models are looked up by name; empty: a model is any directory
  std::string listen;      // HOST:PORT of the orchestrator's services; empty: in-process only
  rpc::ServerSecurity security;  // of `listen`; nobody is asked for anything in-process
  bool reflection = false;       // with `listen`
  std::string device = "auto";   // that workers offer, as OfferedDevices
  int workers = 1;               // each holds the weights of its own model
  int threads_per_worker = 0;    // OpenMP threads; 0: the cores shared out evenly, at least 1 each
  absl::Duration lease = absl::Seconds(30);     // a unit whose worker is silent so long is given on
  absl::Duration heartbeat = absl::Seconds(5);  // must be under half of `lease`
  // Called once, from a thread of the cluster's, when the first worker goes (see worker_gone). May
  // be empty.
  std::function<void()> tell_worker_gone = nullptr;
};

class Cluster {
 public:
  // Returns once the services answer; workers dial in meanwhile.
  // Errors: InvalidArgument (an option), Unavailable (port taken), and those of opening the store
  // (it is newer than this program, or another process holds it).
  static absl::StatusOr<std::unique_ptr<Cluster>> Start(const ClusterOptions& options);
  ~Cluster();  // as Stop(zero)

  // To the orchestrator (OrchestratorService, WorkerService).
  std::shared_ptr<grpc::Channel> channel();
  // To an inference service (InferenceService): answers without a sweep, opens its own models.
  std::shared_ptr<grpc::Channel> inference_channel();

  const std::string& address() const;  // what `listen` came to; empty without
  int port() const;

  // Ok, or why a worker of this process takes no work any more (see Worker).
  absl::Status worker_gone() const;

  // As OrchestratorServer::AwaitCollected.
  bool AwaitCollected(absl::Duration timeout);

  // No new work; units that run may end within `timeout`, then they are given back. Everything
  // recorded stays in the store. Further calls do nothing.
  void Stop(absl::Duration timeout);

  // For tests. KillWorker: worker `index` drops its stream without a word and computes no further,
  // as after SIGKILL. AddWorker: one more dials in.
  void KillWorker(int index);
  void AddWorker();

 private:
  struct State;
  explicit Cluster(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace kvscope::embed
