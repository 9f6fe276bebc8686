// The one place where gRPC's status and absl's turn into each other; their codes are the same.
#pragma once

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace kvscope::rpc {

// A message over 4 KiB is cut: it travels in a header, which peers limit to 8 KiB.
grpc::Status ToGrpc(const absl::Status& status);

// A code that gRPC does not define becomes kUnknown.
absl::Status FromGrpc(const grpc::Status& status);

}  // namespace kvscope::rpc
