// Bearer tokens: how they are made, and the table of those that a server accepts.
//
// The table is a text of one token a line, `NAME ROLE SHA256`; `#` starts a comment. It holds no
// token, only hashes: tokens have 256 random bits, so a fast hash is as good as a slow one.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "services/rpc/caller.h"

namespace kvscope::rpc {

using TokenHash = std::array<unsigned char, 32>;  // SHA-256 of the token's characters

// "kvscope_" and 43 characters of base64url: 256 bits of the system's random generator.
std::string NewToken();

TokenHash HashToken(std::string_view token);

// The line of a table, without its end. Errors: InvalidArgument (a name of other than 1 to 64
// letters, digits, '.', '_' or '-').
absl::StatusOr<std::string> TokenLine(std::string_view name, Role role, const TokenHash& hash);

class TokenTable {
 public:
  // `origin` is how errors call the text: a file. Errors: InvalidArgument that names the line.
  static absl::StatusOr<TokenTable> Parse(std::string_view text, std::string_view origin);

  // Whose token it is. Looks at every entry, whatever it finds: the time tells nothing.
  std::optional<Caller> Find(const TokenHash& hash) const;
  size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    Caller caller;
    TokenHash hash;
  };
  std::vector<Entry> entries_;
};

}  // namespace kvscope::rpc
