// Counts and times the calls that our servers take, whatever their service:
//   kvscope_rpc_calls_total{service, method, code}   how they ended
//   kvscope_rpc_calls_running{service, method}       which are open
//   kvscope_rpc_call_seconds{service, method}        of unary calls: how long a stream is open says
//                                                    nothing about its server
// Labels are the names of registered methods, so a client cannot add any.
#pragma once

#include <grpcpp/support/server_interceptor.h>

#include <memory>

namespace kvscope::rpc {

// For ServerBuilder::experimental().SetInterceptorCreators; the first, so that it sees what others
// refuse. Also tells every call's end as a debug line of the log.
std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> MakeCallMetrics();

// Puts the methods of every server that is built from now on on the page, at 0 for each code. A
// process-wide switch that gRPC reads when a builder is made.
void ShowMethodsOfServers();

}  // namespace kvscope::rpc
