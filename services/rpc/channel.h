// Dialling another process of ours.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/support/channel_arguments.h>

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/rpc/security.h"

namespace kvscope::rpc {

// Senders split at kChunkBytes; a message over kMaxMessageBytes is refused with RESOURCE_EXHAUSTED.
inline constexpr int kMaxMessageBytes = 4 << 20;
inline constexpr int kChunkBytes = 1 << 20;

// Message limits, keepalive and retries (call_policy.h) of every channel; in-process ones keep to
// the first.
grpc::ChannelArguments ChannelArguments();

// A channel to HOST:PORT; connects when first used and again, with back-off, whenever it breaks.
// Errors: InvalidArgument (no address, and those of MakeChannelCredentials).
absl::StatusOr<std::shared_ptr<grpc::Channel>> Dial(std::string_view address,
                                                    const ClientSecurity& security);

// Waits until `channel`, made by Dial(address), is connected.
// Errors: Unavailable, one sentence that names the address and, as far as gRPC tells, why.
absl::Status WaitForConnected(grpc::Channel& channel, std::string_view address,
                              absl::Duration timeout);

}  // namespace kvscope::rpc
