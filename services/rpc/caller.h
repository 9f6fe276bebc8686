// Who makes a call, and what they may do.
#pragma once

#include <grpcpp/server_context.h>

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace kvscope::rpc {

// What a token allows: kSubmit also reads, kWorker is for the cluster's own processes and neither
// reads nor submits, kAdmin may do everything.
enum class Role { kRead, kSubmit, kWorker, kAdmin };

std::string_view RoleName(Role role);  // "read", "submit", "worker", "admin"
std::optional<Role> ParseRole(std::string_view name);
bool Allows(Role role, Role needed);

struct Caller {
  std::string name;          // of its token; "" where nobody is asked for one (see --token-file)
  Role role = Role::kAdmin;  // without authentication everybody may do everything

  friend bool operator==(const Caller&, const Caller&) = default;
};

// The caller of a running call, of a grpc::ServerContext or a grpc::CallbackServerContext; valid
// within its handler. Cannot be forged: what a client sends under our names is thrown away. An
// in-process call has no name.
Caller CallerOf(const grpc::ServerContextBase& context);

// ResourceExhausted, with the time to wait, if the caller has made more calls than the server's
// --rate-limit allows. Handlers ask it first: no other place of gRPC could say how long to wait.
absl::Status CheckRate(const grpc::ServerContextBase& context);

}  // namespace kvscope::rpc
