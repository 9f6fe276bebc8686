// SHA-256 of a stream of bytes.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace kvscope::orchestrator {

class Sha256 {
 public:
  Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  ~Sha256();

  void Update(std::string_view bytes);
  // Of all bytes so far; more may follow.
  std::string Digest() const;     // 32 raw bytes
  std::string HexDigest() const;  // 64 lower-case digits

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Of one string, as 64 lower-case hex digits.
std::string Sha256Hex(std::string_view bytes);

}  // namespace kvscope::orchestrator
