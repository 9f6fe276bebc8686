// What guards a connection: encryption and tokens, of a server and of who dials it.
#pragma once

#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "services/rpc/address.h"

namespace kvscope::rpc {

// PEM files. They are followed: what changes is used within two seconds, by new connections; files
// that cannot be used change nothing and are logged.
struct TlsFiles {
  std::string cert = "";  // own certificate, then those between it and the root
  std::string key = "";   // of `cert`, without a passphrase
  std::string ca = "";    // roots that the other side's certificate must descend from

  friend auto operator<=>(const TlsFiles&, const TlsFiles&) = default;
};

// Dialling is encrypted if `tls.ca` is given; `tls.cert` and `tls.key` are shown to servers that
// ask for a certificate.
struct ClientSecurity {
  bool insecure = false;         // plaintext beyond loopback is allowed
  TlsFiles tls = {};             // TLS 1.2 or later
  std::string server_name = "";  // in the server's certificate; empty: the host that is dialled
  std::string token_file = "";   // holds the token to show; read anew for each call
};

// Serving is encrypted if `tls.cert` and `tls.key` are given; with `tls.ca` only clients with a
// certificate of it may connect, unless `client_certs` is false.
struct ServerSecurity {
  bool insecure = false;  // plaintext beyond loopback is allowed
  TlsFiles tls = {};      // TLS 1.2 or later
  bool client_certs = true;
  std::string token_file = "";  // accepted tokens (tokens.h); empty: nobody is asked for one
  int rate_limit = 0;           // calls a second of one caller, and its burst; 0: any number
};

class Authenticator;

// Errors: InvalidArgument: plaintext beyond loopback that is not allowed or that tokens would
// travel through, files that are missing or do not fit together, a token file that is none.
absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> MakeChannelCredentials(
    const Address& address, const ClientSecurity& security);

// `authenticator`, if there is one, sees every call before it is read. Errors: as above.
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeServerCredentials(
    const Address& address, const ServerSecurity& security,
    const std::shared_ptr<Authenticator>& authenticator);

}  // namespace kvscope::rpc
