// Certificates from files: read, checked, and followed while the process runs.
#pragma once

#include <grpcpp/security/tls_certificate_provider.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/rpc/security.h"

namespace kvscope::rpc {

// The content of TlsFiles, PEM.
struct Certificates {
  std::string cert;
  std::string key;
  std::string ca;

  friend bool operator==(const Certificates&, const Certificates&) = default;
};

// Reads those of `files` that are named. Errors: InvalidArgument that names the file: it cannot be
// read, holds no certificate or no key without a passphrase, the key is of another certificate, the
// certificate has expired.
absl::StatusOr<Certificates> ReadCertificates(const TlsFiles& files);

// The first DNS name, else IP address, that the certificate in `file` is for; empty if none.
std::string NameOfCertificate(const std::string& file);

// What gRPC takes certificates from, for `files` as they are now and as they become; what cannot be
// used is logged and never reaches gRPC. One for equal files, which lives as long as the process.
// Errors: as ReadCertificates.
absl::StatusOr<std::shared_ptr<grpc::experimental::CertificateProviderInterface>>
FollowCertificates(const TlsFiles& files);

}  // namespace kvscope::rpc
