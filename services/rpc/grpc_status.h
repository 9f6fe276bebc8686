// The one place where gRPC's status and absl's turn into each other; their codes are the same.
// Details (google.rpc messages) are payloads of an absl::Status, under their type URL.
#pragma once

#include <grpcpp/support/status.h>

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace kvscope::rpc {

// A message over 4 KiB is cut: it travels in a header, which peers limit to 8 KiB; over 1 KiB it
// goes without details. INVALID_ARGUMENT names the field: where no detail says which one it is, the
// message does, as ours begin with it ("spec.ratios[3]: is 2, allowed is [0, 1)").
grpc::Status ToGrpc(const absl::Status& status);

// A code that gRPC does not define becomes kUnknown; details that cannot be read are left out.
absl::Status FromGrpc(const grpc::Status& status);

// `status` with the advice to try again after `delay`.
absl::Status WithRetryDelay(absl::Status status, absl::Duration delay);

// What WithRetryDelay said, here or on a server.
std::optional<absl::Duration> RetryDelay(const absl::Status& status);

// The first field that an INVALID_ARGUMENT of a server names; empty if it names none.
std::string ViolatedField(const absl::Status& status);

}  // namespace kvscope::rpc
