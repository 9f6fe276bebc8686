// A gRPC server with what all of ours have: health, limits, keepalive, a graceful end.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/impl/codegen/service_type.h>
#include <grpcpp/server.h>

#include <memory>
#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/rpc/security.h"

namespace kvscope::rpc {

struct ServerOptions {
  std::string listen;  // HOST:PORT, port 0: any free one. Empty: in-process channels only.
  ServerSecurity security = {};  // Of what comes in through `listen`.
  bool reflection = false;       // grpc.reflection.v1alpha, for grpcurl.
};

class Server {
 public:
  // `services` must outlive the server.
  // Errors: InvalidArgument (address, security), Unavailable (port taken, address not ours, no
  // library of reflection: named).
  static absl::StatusOr<std::unique_ptr<Server>> Start(const ServerOptions& options,
                                                       std::span<grpc::Service* const> services);
  ~Server();  // as Shutdown(zero)

  // What was bound, HOST:PORT; empty without `listen`.
  const std::string& address() const { return address_; }
  int port() const { return port_; }

  std::shared_ptr<grpc::Channel> InProcessChannel();

  // grpc.health.v1 answers NOT_SERVING from now on; calls still work. For the time of a drain.
  void StopServing();

  // Ends the server: NOT_SERVING, no new calls, waits up to `timeout` for the calls that run, then
  // cancels them. Returns when the last handler has returned. Further calls do nothing.
  void Shutdown(absl::Duration timeout);

 private:
  Server() = default;

  std::unique_ptr<grpc::Server> server_;
  std::string address_;
  int port_ = 0;
  bool down_ = false;
};

}  // namespace kvscope::rpc
