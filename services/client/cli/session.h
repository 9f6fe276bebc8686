// Session: the orchestrator that a command talks to, be it a cluster or the local store.
//
// The local store is one SQLite file, by default ./kvscope-out/store.db; `run --out DIR` has its
// own, DIR/store.db. Opening it starts the services in this process; after the channel is made
// there is one code path for both.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "kvscope/v1/orchestrator.grpc.pb.h"
#include "services/rpc/security.h"

namespace CLI {
class App;
}

namespace kvscope::embed {
class Cluster;
}

namespace kvscope::cli {

// How a command names its orchestrator; added to every command that reads or writes results.
struct SessionOptions {
  std::string connect;           // host:port of a cluster; empty: the local store
  std::string store;             // the local store's file; empty: the default
  rpc::ClientSecurity security;  // of `connect`
};
void AddSessionOptions(CLI::App& command, SessionOptions& options);

class Session {
 public:
  // workers = 0: nothing is computed. An absent local store is an error unless workers > 0, which
  // makes it. They offer `device`, as OfferedDevices. Errors: Unavailable (cluster not reached),
  // FailedPrecondition (no such device), NotFound (no such store), what the store says.
  static absl::StatusOr<std::unique_ptr<Session>> Open(const SessionOptions& options, int workers,
                                                       const std::string& device = "auto");
  ~Session();

  v1::OrchestratorService::Stub& stub() { return *stub_; }
  bool embedded() const { return cluster_ != nullptr; }
  // Embedded: Ok, or why its workers compute no more.
  absl::Status worker_gone() const;
  // Embedded: waits until what deleted sweeps left behind is gone; a cluster does it by itself.
  void AwaitCollected();
  // Embedded: stops computing, gives unfinished units back. May be called twice.
  void Stop();

 private:
  Session() = default;
  std::unique_ptr<embed::Cluster> cluster_;
  std::unique_ptr<v1::OrchestratorService::Stub> stub_;
};

// SWEEP as the user wrote it: an id, a unique name, or a directory that `run --out` wrote (or its
// parent made for it), whose sweep.json names store and id. Fills `options.store` in the latter
// case.
absl::StatusOr<std::string> ResolveSweep(const std::string& sweep, SessionOptions& options);

// For a call that changes something, so that it changes it once, however often it is sent.
std::string NewRequestId();

// The default store and the directory that holds it.
inline constexpr const char* kDefaultDirectory = "kvscope-out";
inline constexpr const char* kStoreName = "store.db";
inline constexpr const char* kFeaturesName = "hidden-states";  // folder beside the store
inline constexpr const char* kSweepFile = "sweep.json";

}  // namespace kvscope::cli
