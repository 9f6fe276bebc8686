#include "services/rpc/address.h"

#include <charconv>
#include <cstdint>

#include "absl/strings/str_cat.h"

namespace kvscope::rpc {
namespace {

absl::Status Malformed(std::string_view text) {
  return absl::InvalidArgumentError(
      absl::StrCat("\"", std::string(text),
                   "\" is no address: it must be HOST:PORT with a port from 0 to 65535, such as "
                   "127.0.0.1:7000 or [::1]:7000"));
}

}  // namespace

bool Address::IsLoopback() const {
  return host == "localhost" || host == "::1" ||
         (host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string::npos);
}

std::string Address::ToString() const {
  const bool v6 = host.find(':') != std::string::npos;
  return v6 ? absl::StrCat("[", host, "]:", port) : absl::StrCat(host, ":", port);
}

absl::StatusOr<Address> ParseAddress(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return Malformed(text);
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  if (host.front() == '[') {
    if (host.size() < 3 || host.back() != ']') return Malformed(text);
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return Malformed(text);  // an IPv6 address needs its brackets
  }
  if (host.find_first_of("/ \t\n[]") != std::string_view::npos) return Malformed(text);
  uint16_t number = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (error != std::errc() || end != port.data() + port.size()) return Malformed(text);
  return Address{.host = std::string(host), .port = number};
}

absl::Status CheckPlaintext(const Address& address, bool insecure, std::string_view verb) {
  if (insecure || address.IsLoopback()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "refusing to ", std::string(verb), " ", address.ToString(),
      " without encryption, as it is not a loopback address: encrypt (see --tls-ca and --tls-cert) "
      "or say --insecure"));
}

}  // namespace kvscope::rpc
