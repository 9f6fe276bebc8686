// How long our clients wait for calls, and which calls they make again.
#pragma once

#include <grpcpp/client_context.h>

#include <chrono>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace kvscope::rpc {

// The context of a unary call: it has a deadline, as every one has.
class UnaryContext : public grpc::ClientContext {
 public:
  UnaryContext();  // a minute from now
};

// The context of a stream that ends when all is said: a day from now at the latest. (Broken
// connections are found by keepalive; what never ends, WatchSweep and Work, needs no deadline.)
class StreamContext : public grpc::ClientContext {
 public:
  StreamContext();
  // Of a stream that is needed for a call of somebody else's, whose deadline this is.
  explicit StreamContext(std::chrono::system_clock::time_point callers_deadline);
};

// Makes a call that a server refuses for now (RetryDelay: a rate limit) again when it asks for it,
// for a minute at most; returns the last answer. Each attempt is a call of its own, and is refused
// before anything is done.
absl::Status CallPatiently(const std::function<absl::Status()>& call);

// Unary methods that gRPC makes again, with back-off, when a call comes to UNAVAILABLE: they say
// "May be retried" in their .proto file. As "SERVICE/METHOD".
std::span<const std::string_view> RetriedMethods();

// The above as gRPC's service config (JSON), for ChannelArguments.
std::string ServiceConfig();

}  // namespace kvscope::rpc
