#include "services/rpc/server.h"

#include <dlfcn.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "services/rpc/address.h"
#include "services/rpc/authenticator.h"
#include "services/rpc/call_metrics.h"
#include "services/rpc/caller_interceptor.h"
#include "services/rpc/channel.h"
#include "services/rpc/rate_limiter.h"
#include "services/rpc/telemetry.h"
#include "services/status_macros.h"

namespace kvscope::rpc {
namespace {

constexpr int kMaxStreams = 256;  // open calls of one connection; a client lets more of them wait

// Why gRPC could not bind: it only says that it did not, so bind once more by hand.
std::string WhyNotBound(const Address& address) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  const std::string port = absl::StrCat(address.port);
  const int error = getaddrinfo(address.host.c_str(), port.c_str(), &hints, &found);
  if (error != 0) return gai_strerror(error);
  std::string reason = "the system refuses it";
  for (const addrinfo* a = found; a != nullptr; a = a->ai_next) {
    const int fd = socket(a->ai_family, a->ai_socktype, a->ai_protocol);
    if (fd < 0) continue;
    if (bind(fd, a->ai_addr, a->ai_addrlen) != 0) reason = std::strerror(errno);
    close(fd);
  }
  freeaddrinfo(found);
  return reason;
}

void AddKeepalive(grpc::ServerBuilder& builder) {
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 30'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 10'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
}

// All that see every call of every server, in their order.
void AddInterceptors(grpc::ServerBuilder& builder, std::shared_ptr<Authenticator> authenticator,
                     int rate_limit) {
  std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> factories;
  factories.push_back(MakeCallMetrics());
  factories.push_back(
      MakeCallerInterceptors(std::move(authenticator),
                             rate_limit > 0 ? std::make_shared<RateLimiter>(rate_limit) : nullptr));
  builder.experimental().SetInterceptorCreators(std::move(factories));
}

// Process-wide switches that gRPC reads when a builder is made. The library of reflection adds it
// to every later server as soon as it is in the process, so it is loaded only when asked for.
absl::Status EnablePlugins(bool reflection) {
  TakeOverLibraryLogs();
  ShowMethodsOfServers();
  grpc::EnableDefaultHealthCheckService(true);
  if (reflection && dlopen(KVSCOPE_REFLECTION_LIBRARY, RTLD_NOW) == nullptr) {
    return absl::UnavailableError(absl::StrCat("no gRPC reflection: ", dlerror()));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const ServerOptions& options,
                                                      std::span<grpc::Service* const> services) {
  KVSCOPE_RETURN_IF_ERROR(EnablePlugins(options.reflection));
  grpc::ServerBuilder builder;
  builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
  builder.SetMaxSendMessageSize(kMaxMessageBytes);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);  // two servers on one port: an error
  AddKeepalive(builder);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxStreams);
  for (grpc::Service* service : services) builder.RegisterService(service);

  Address address;
  int port = 0;
  std::shared_ptr<Authenticator> authenticator;
  const ServerSecurity& security = options.security;
  if (!options.listen.empty()) {
    KVSCOPE_ASSIGN_OR_RETURN(address, ParseAddress(options.listen));
    if (!security.token_file.empty()) {
      KVSCOPE_ASSIGN_OR_RETURN(authenticator, Authenticator::Open(security.token_file));
    }
    KVSCOPE_ASSIGN_OR_RETURN(const auto credentials,
                             MakeServerCredentials(address, security, authenticator));
    builder.AddListeningPort(address.ToString(), credentials, &port);
  }
  AddInterceptors(builder, authenticator, security.rate_limit);
  std::unique_ptr<Server> server(new Server());
  server->server_ = builder.BuildAndStart();
  if (server->server_ == nullptr || (!options.listen.empty() && port == 0)) {
    server->down_ = true;
    return absl::UnavailableError(
        absl::StrCat("cannot listen on ", options.listen, ": ", WhyNotBound(address)));
  }
  if (!options.listen.empty()) {
    server->port_ = port;
    address.port = port;
    server->address_ = address.ToString();
  }
  server->server_->GetHealthCheckService()->SetServingStatus(true);
  return server;
}

Server::~Server() { Shutdown(absl::ZeroDuration()); }

std::shared_ptr<grpc::Channel> Server::InProcessChannel() {
  return server_->InProcessChannel(ChannelArguments());
}

void Server::StopServing() {
  if (!down_) server_->GetHealthCheckService()->SetServingStatus(false);
}

void Server::Shutdown(absl::Duration timeout) {
  if (down_) return;
  down_ = true;
  server_->GetHealthCheckService()->SetServingStatus(false);
  server_->Shutdown(std::chrono::system_clock::now() + absl::ToChronoMilliseconds(timeout));
  server_->Wait();
}

}  // namespace kvscope::rpc
