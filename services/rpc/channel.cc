#include "services/rpc/channel.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <chrono>

#include "absl/strings/str_cat.h"
#include "services/rpc/address.h"
#include "services/rpc/call_policy.h"
#include "services/rpc/telemetry.h"
#include "services/status_macros.h"

namespace kvscope::rpc {

grpc::ChannelArguments ChannelArguments() {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
  arguments.SetMaxSendMessageSize(kMaxMessageBytes);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 30'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 200);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 200);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 10'000);
  arguments.SetServiceConfigJSON(ServiceConfig());
  return arguments;
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> Dial(std::string_view address,
                                                    const ClientSecurity& security) {
  KVSCOPE_ASSIGN_OR_RETURN(const Address parsed, ParseAddress(address));
  KVSCOPE_ASSIGN_OR_RETURN(const auto credentials, MakeChannelCredentials(parsed, security));
  TakeOverLibraryLogs();
  grpc::ChannelArguments arguments = ChannelArguments();
  if (!security.server_name.empty()) {
    arguments.SetString(GRPC_SSL_TARGET_NAME_OVERRIDE_ARG, security.server_name);
  }
  return grpc::CreateCustomChannel(parsed.ToString(), credentials, arguments);
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> Dial(std::string_view address, bool insecure) {
  return Dial(address, ClientSecurity{.insecure = insecure});
}

absl::Status WaitForConnected(grpc::Channel& channel, std::string_view address,
                              absl::Duration timeout) {
  const auto deadline = std::chrono::system_clock::now() + absl::ToChronoMilliseconds(timeout);
  if (channel.WaitForConnected(deadline)) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("no server answers at ", std::string(address),
                                             " (waited ", absl::FormatDuration(timeout),
                                             "): is it running, and is the address right?"));
}

}  // namespace kvscope::rpc
