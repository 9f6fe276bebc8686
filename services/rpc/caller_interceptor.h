// Tells handlers who calls them: the server's own entries in a call's metadata (caller.h reads
// them). gRPC's AuthContext is no place for that, as all calls of a connection share it.
#pragma once

#include <grpcpp/support/server_interceptor.h>

#include <memory>

namespace kvscope::rpc {

class Authenticator;
class RateLimiter;

// Whatever a client sends under these names is removed before a handler sees it.
inline constexpr const char* kCallerKey = "kvscope-caller";
inline constexpr const char* kRoleKey = "kvscope-role";
inline constexpr const char* kWaitKey = "kvscope-wait-ms";         // of a call over the rate limit
inline constexpr const char* kAuthorizationKey = "authorization";  // "Bearer TOKEN"; removed too

// Either may be null: nobody is asked for a token; any number of calls.
std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> MakeCallerInterceptors(
    std::shared_ptr<Authenticator> authenticator, std::shared_ptr<RateLimiter> limiter);

}  // namespace kvscope::rpc
