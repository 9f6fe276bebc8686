// Certificates for tests, made on the spot: a small authority and what it signs.
#pragma once

#include <openssl/types.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace kvscope::rpc {

struct LeafOptions {
  std::vector<std::string> names;  // subject alternative names: "DNS:localhost", "IP:127.0.0.1"
  absl::Duration lifetime = absl::Hours(1);
};

// A root with keys on P-256. Files are PEM.
class CertificateAuthority {
 public:
  explicit CertificateAuthority(const std::string& name);
  ~CertificateAuthority();

  // Writes PATH.crt, the root that others are to trust.
  void WriteRoot(const std::string& path) const;
  // Writes PATH.crt and PATH.key, each as a whole: readers never see a part.
  void Issue(const std::string& path, const LeafOptions& options) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kvscope::rpc
