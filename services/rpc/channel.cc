#include "services/rpc/channel.h"

#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>

#include <chrono>
#include <string>

#include "absl/strings/str_cat.h"
#include "services/rpc/address.h"
#include "services/rpc/call_policy.h"
#include "services/rpc/telemetry.h"
#include "services/status_macros.h"

namespace kvscope::rpc {
namespace {

// Why there is no connection, in gRPC's words: a call tells it, when it fails. Empty if it does
// not.
std::string LastConnectionError(grpc::Channel& channel) {
  constexpr std::string_view kMark = "last error: ";
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(1));
  grpc::CompletionQueue queue;
  grpc::GenericStub stub(channel.shared_from_this());
  const auto call =
      stub.PrepareUnaryCall(&context, "/grpc.health.v1.Health/Check", grpc::ByteBuffer(), &queue);
  call->StartCall();
  grpc::ByteBuffer response;
  grpc::Status status;
  call->Finish(&response, &status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);  // the deadline bounds it
  const std::string message = status.error_message();
  const size_t mark = message.find(kMark);
  return mark == std::string::npos ? "" : message.substr(mark + kMark.size());
}

}  // namespace

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

absl::Status WaitForConnected(grpc::Channel& channel, std::string_view address,
                              absl::Duration timeout) {
  const auto deadline = std::chrono::system_clock::now() + absl::ToChronoMilliseconds(timeout);
  if (channel.WaitForConnected(deadline)) return absl::OkStatus();
  const std::string reason = LastConnectionError(channel);
  return absl::UnavailableError(absl::StrCat(
      "no server answers at ", std::string(address), " (waited ", absl::FormatDuration(timeout),
      "): is it running, and are the address and the certificates right?",
      reason.empty() ? "" : absl::StrCat(" The last attempt: ", reason)));
}

}  // namespace kvscope::rpc
