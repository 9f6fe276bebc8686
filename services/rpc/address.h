// host:port, as users write it.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace kvscope::rpc {

struct Address {
  std::string host;  // a name, an IPv4 address or an IPv6 address without its brackets
  int port = 0;

  bool IsLoopback() const;  // localhost, 127.0.0.0/8 or ::1
  std::string ToString() const;
};

// Errors: InvalidArgument that quotes `text`.
absl::StatusOr<Address> ParseAddress(std::string_view text);

// Refuses plaintext beyond loopback unless `insecure`. `verb` is "listen on" or "connect to".
absl::Status CheckPlaintext(const Address& address, bool insecure, std::string_view verb);

}  // namespace kvscope::rpc
