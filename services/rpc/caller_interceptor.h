// Tells handlers who calls them: the server's own entries in a call's metadata (caller.h reads
// them). gRPC's AuthContext is no place for that, as all calls of a connection share it.
#pragma once

#include <grpcpp/support/server_interceptor.h>

#include <functional>
#include <optional>
#include <string_view>

#include "services/rpc/caller.h"

namespace kvscope::rpc {

// Whatever a client sends under these names is removed before a handler sees it.
inline constexpr const char* kCallerKey = "kvscope-caller";
inline constexpr const char* kRoleKey = "kvscope-role";
inline constexpr const char* kAuthorizationKey = "authorization";  // "Bearer TOKEN"; removed too

class CallerInterceptorFactory final
    : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  grpc::experimental::Interceptor* CreateServerInterceptor(
      grpc::experimental::ServerRpcInfo* info) override;
};

}  // namespace kvscope::rpc
