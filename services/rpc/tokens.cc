#include "services/rpc/tokens.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <algorithm>
#include <cstdlib>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/status_macros.h"

namespace kvscope::rpc {
namespace {

constexpr size_t kMaxName = 64;
constexpr std::string_view kPrefix = "kvscope_";  // lets scanners for leaked secrets find it

bool IsName(std::string_view name) {
  return !name.empty() && name.size() <= kMaxName &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  c == '.' || c == '_' || c == '-';
         });
}

absl::Status BadName(std::string_view name) {
  return absl::InvalidArgumentError(absl::StrCat("the name \"", absl::CHexEscape(std::string(name)),
                                                 "\" must have 1 to ", kMaxName,
                                                 " letters, digits, '.', '_' or '-'"));
}

std::optional<TokenHash> ParseHash(std::string_view hex) {
  TokenHash hash;
  if (hex.size() != 2 * hash.size()) return std::nullopt;
  for (const char c : hex) {
    if (!absl::ascii_isxdigit(static_cast<unsigned char>(c))) return std::nullopt;
  }
  const std::string bytes = absl::HexStringToBytes(std::string(hex));
  std::copy(bytes.begin(), bytes.end(), hash.begin());
  return hash;
}

}  // namespace

std::string NewToken() {
  std::array<unsigned char, 32> random;
  if (RAND_bytes(random.data(), random.size()) != 1) std::abort();  // no token is the safe one
  const std::string bytes(random.begin(), random.end());
  return absl::StrCat(std::string(kPrefix), absl::WebSafeBase64Escape(bytes));
}

TokenHash HashToken(std::string_view token) {
  TokenHash hash;
  SHA256(reinterpret_cast<const unsigned char*>(token.data()), token.size(), hash.data());
  return hash;
}

absl::StatusOr<std::string> TokenLine(std::string_view name, Role role, const TokenHash& hash) {
  if (!IsName(name)) return BadName(name);
  return absl::StrCat(
      std::string(name), " ", std::string(RoleName(role)), " ",
      absl::BytesToHexString({reinterpret_cast<const char*>(hash.data()), hash.size()}));
}

absl::StatusOr<TokenTable> TokenTable::Parse(std::string_view text, std::string_view origin) {
  TokenTable table;
  int number = 0;
  const std::string all(text);
  for (const auto& line : absl::StrSplit(all, '\n')) {
    ++number;
    const auto wrong = [&](const auto&... what) {
      return absl::InvalidArgumentError(
          absl::StrCat(std::string(origin), ":", number, ": ", what...));
    };
    const std::string entry(line.substr(0, line.find('#')));
    const std::vector<std::string> words =
        absl::StrSplit(entry, absl::ByAnyChar(" \t\r"), absl::SkipEmpty());
    if (words.empty()) continue;
    if (words.size() != 3) {
      return wrong("has ", words.size(), " words, must have three: NAME ROLE SHA256");
    }
    if (!IsName(words[0])) return wrong(BadName(words[0]).message());
    const std::optional<Role> role = ParseRole(words[1]);
    if (!role) {
      return wrong("the role \"", absl::CHexEscape(words[1]),
                   "\" must be read, submit, worker or admin");
    }
    const std::optional<TokenHash> hash = ParseHash(words[2]);
    if (!hash) return wrong("the hash must have 64 hexadecimal digits (SHA-256 of the token)");
    if (table.Find(*hash)) return wrong("the hash is there twice");
    table.entries_.push_back({.caller = {.name = words[0], .role = *role}, .hash = *hash});
  }
  return table;
}

std::optional<Caller> TokenTable::Find(const TokenHash& hash) const {
  const Entry* found = nullptr;
  for (const Entry& entry : entries_) {
    if (CRYPTO_memcmp(entry.hash.data(), hash.data(), hash.size()) == 0) found = &entry;
  }
  if (found == nullptr) return std::nullopt;
  return found->caller;
}

}  // namespace kvscope::rpc
