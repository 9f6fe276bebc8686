#include "services/rpc/healthcheck.h"

#include <google/protobuf/wrappers.pb.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/impl/codegen/proto_utils.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/rpc/address.h"
#include "services/rpc/certificates.h"
#include "services/rpc/channel.h"
#include "services/rpc/grpc_status.h"
#include "services/status_macros.h"

namespace kvscope::rpc {
namespace {

constexpr char kName[] = "healthcheck";
constexpr absl::Duration kTimeout = absl::Seconds(3);
constexpr int kServing = 1;  // grpc.health.v1.HealthCheckResponse.ServingStatus.SERVING

// On the wire HealthCheckRequest {string service = 1} is a StringValue, and HealthCheckResponse
// {ServingStatus status = 1} an Int32Value; Debian ships no generated code of health.proto.
using Request = google::protobuf::StringValue;
using Response = google::protobuf::Int32Value;

grpc::Status Ask(const std::shared_ptr<grpc::Channel>& channel, absl::Duration timeout,
                 Response& response) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + absl::ToChronoMilliseconds(timeout));
  grpc::TemplatedGenericStub<Request, Response> stub(channel);
  grpc::CompletionQueue queue;
  const auto call =
      stub.PrepareUnaryCall(&context, "/grpc.health.v1.Health/Check", Request(), &queue);
  call->StartCall();
  grpc::Status status;
  call->Finish(&response, &status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);  // the deadline bounds it
  return status;
}

// Where a server that listens on `address` is reached from its own machine.
void TurnWildcardIntoLoopback(Address& address) {
  if (address.host == "0.0.0.0") address.host = "127.0.0.1";
  if (address.host == "::") address.host = "::1";
}

// The server's own files, the other way round: its certificate is what the client shows, too. On
// its own machine it is known by the name in that certificate, as no certificate is for loopback.
absl::StatusOr<ClientSecurity> SecurityFor(const Address& address, const ServiceFlags& flags) {
  ClientSecurity security = flags.Dialling();
  security.token_file.clear();  // health is told to everybody
  if (!flags.tls.cert.empty() && flags.tls.ca.empty()) {
    return absl::InvalidArgumentError(
        "--tls-ca is missing: without it the server's certificate cannot be checked (with "
        "--tls-client-auth none clients still need no certificate)");
  }
  if (address.IsLoopback()) security.server_name = NameOfCertificate(flags.tls.cert);
  return security;
}

int CheckAll(std::vector<std::string> addresses, const ServiceFlags& flags) {
  if (addresses.empty()) addresses.push_back(flags.listen);
  int code = 0;
  for (const std::string& address : addresses) {
    const absl::Status status = CheckHealth(address, flags, kTimeout);
    if (status.ok()) continue;
    std::fprintf(stderr, "error: %s\n", std::string(status.message()).c_str());
    code = 1;
  }
  return code;
}

}  // namespace

absl::Status CheckHealth(std::string_view address, const ServiceFlags& flags,
                         absl::Duration timeout) {
  if (address.empty()) {
    return absl::InvalidArgumentError(
        "nothing to check: say --listen HOST:PORT as the server does, or an address");
  }
  KVSCOPE_ASSIGN_OR_RETURN(Address parsed, ParseAddress(address));
  if (parsed.port == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(parsed.ToString(), " names no port: say the one that the server was given"));
  }
  TurnWildcardIntoLoopback(parsed);
  const std::string target = parsed.ToString();
  KVSCOPE_ASSIGN_OR_RETURN(const ClientSecurity security, SecurityFor(parsed, flags));
  KVSCOPE_ASSIGN_OR_RETURN(const auto channel, Dial(target, security));
  Response response;
  const grpc::Status asked = Ask(channel, timeout, response);
  if (!asked.ok()) {
    return absl::UnavailableError(
        absl::StrCat("no word of health from ", target, ": ", asked.error_message()));
  }
  if (response.value() != kServing) {
    return absl::UnavailableError(absl::StrCat(target, " is up, but not serving: it drains"));
  }
  return absl::OkStatus();
}

void AddHealthcheck(CLI::App& app, const ServiceFlags& flags) {
  CLI::App* command = app.add_subcommand(kName, "exit with 0 if the running server serves, else 1");
  const auto addresses = std::make_shared<std::vector<std::string>>();
  command->add_option("address", *addresses, "HOST:PORT to ask; default: --listen");
  command->fallthrough();  // the program's own words may stand after it
  command->final_callback(
      [addresses, &flags] { throw CLI::RuntimeError(CheckAll(*addresses, flags)); });
}

bool IsHealthcheck(int argc, char** argv) { return argc > 1 && std::string_view(argv[1]) == kName; }

}  // namespace kvscope::rpc
