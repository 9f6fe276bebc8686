#include "services/rpc/security.h"

#include <grpcpp/security/tls_credentials_options.h>

#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "services/rpc/authenticator.h"
#include "services/rpc/caller_interceptor.h"
#include "services/rpc/certificates.h"
#include "services/rpc/file_watch.h"
#include "services/status_macros.h"

namespace kvscope::rpc {
namespace {

constexpr size_t kMaxToken = 4096;

// The token that a client's file holds: one word.
absl::StatusOr<std::string> ReadToken(const std::string& file) {
  KVSCOPE_ASSIGN_OR_RETURN(const std::string content, ReadSmallFile(file));
  const std::string token(absl::StripAsciiWhitespace(content));
  bool sound = !token.empty() && token.size() <= kMaxToken;
  for (const char c : token) sound = sound && absl::ascii_isgraph(static_cast<unsigned char>(c));
  if (sound) return token;
  return absl::InvalidArgumentError(absl::StrCat(
      file, ": must hold one token and nothing else, as `kvscope token new` printed it",
      TokenTable::Parse(content, file).ok() ? " (a server's table of hashes is no token)" : ""));
}

// Shows the token with every call.
class TokenPlugin final : public grpc::MetadataCredentialsPlugin {
 public:
  explicit TokenPlugin(std::string file) : file_(std::move(file)) {}

  bool IsBlocking() const override { return false; }  // the file is a line
  grpc::Status GetMetadata(grpc::string_ref, grpc::string_ref, const grpc::AuthContext&,
                           std::multimap<std::string, std::string>* metadata) override {
    const absl::StatusOr<std::string> token = ReadToken(file_);
    if (!token.ok()) {
      return {grpc::StatusCode::UNAUTHENTICATED,
              {token.status().message().data(), token.status().message().size()}};
    }
    metadata->emplace(kAuthorizationKey, absl::StrCat("Bearer ", *token));
    return grpc::Status::OK;
  }
  grpc::string DebugString() override { return absl::StrCat("the token in ", file_); }

 private:
  const std::string file_;
};

absl::Status CheckFiles(const TlsFiles& tls) {
  if (tls.cert.empty() == tls.key.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      "--tls-cert and --tls-key belong together: one of them is missing");
}

absl::Status CheckTokenStaysHome(const Address& address, bool encrypted, const char* verb) {
  if (encrypted || address.IsLoopback()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "refusing to ", verb, " ", address.ToString(),
      " with tokens but without encryption: whoever listens in could use them (see --tls-ca)"));
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> TlsChannelCredentials(
    const TlsFiles& tls) {
  KVSCOPE_ASSIGN_OR_RETURN(const auto provider, FollowCertificates(tls));
  grpc::experimental::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(provider);
  options.watch_root_certs();
  if (!tls.cert.empty()) options.watch_identity_key_cert_pairs();
  return grpc::experimental::TlsCredentials(options);
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> MakeChannelCredentials(
    const Address& address, const ClientSecurity& security) {
  KVSCOPE_RETURN_IF_ERROR(CheckFiles(security.tls));
  const bool encrypted = !security.tls.ca.empty();
  const bool token = !security.token_file.empty();
  if (token) {
    KVSCOPE_RETURN_IF_ERROR(CheckTokenStaysHome(address, encrypted, "connect to"));
    KVSCOPE_RETURN_IF_ERROR(ReadToken(security.token_file).status());
  }
  std::shared_ptr<grpc::ChannelCredentials> channel;
  if (encrypted) {
    KVSCOPE_ASSIGN_OR_RETURN(channel, TlsChannelCredentials(security.tls));
  } else {
    KVSCOPE_RETURN_IF_ERROR(CheckPlaintext(address, security.insecure, "connect to"));
    // Local credentials are plaintext too, but end the connection if the peer is not this machine,
    // whatever "localhost" is said to be.
    channel = token ? grpc::experimental::LocalCredentials(LOCAL_TCP)
                    : grpc::InsecureChannelCredentials();
  }
  if (!token) return channel;
  const auto call = grpc::experimental::MetadataCredentialsFromPlugin(
      std::make_unique<TokenPlugin>(security.token_file),
      encrypted ? GRPC_PRIVACY_AND_INTEGRITY : GRPC_SECURITY_NONE);
  return grpc::CompositeChannelCredentials(channel, call);
}

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeServerCredentials(
    const Address& address, const ServerSecurity& security,
    const std::shared_ptr<Authenticator>& authenticator) {
  KVSCOPE_RETURN_IF_ERROR(CheckFiles(security.tls));
  const bool encrypted = !security.tls.cert.empty();
  std::shared_ptr<grpc::ServerCredentials> credentials;
  if (encrypted) {
    TlsFiles files = security.tls;
    if (!security.client_certs) files.ca.clear();
    KVSCOPE_ASSIGN_OR_RETURN(const auto provider, FollowCertificates(files));
    grpc::experimental::TlsServerCredentialsOptions options(provider);
    options.watch_identity_key_cert_pairs();
    if (!files.ca.empty()) {
      options.watch_root_certs();
      options.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
    }
    credentials = grpc::experimental::TlsServerCredentials(options);
  } else {
    KVSCOPE_RETURN_IF_ERROR(CheckPlaintext(address, security.insecure, "listen on"));
    // Only these of the two plaintext kinds take an authenticator.
    credentials = authenticator != nullptr ? grpc::experimental::LocalServerCredentials(LOCAL_TCP)
                                           : grpc::InsecureServerCredentials();
  }
  if (authenticator != nullptr) {
    KVSCOPE_RETURN_IF_ERROR(CheckTokenStaysHome(address, encrypted, "listen on"));
    credentials->SetAuthMetadataProcessor(std::make_shared<AuthenticatingProcessor>(authenticator));
  }
  return credentials;
}

}  // namespace kvscope::rpc
