#include "services/orchestrator/datasets/sha256.h"

#include <openssl/evp.h>

#include <cstdlib>

#include "absl/strings/escaping.h"

namespace kvscope::orchestrator {
namespace {

constexpr size_t kDigestBytes = 32;

void Check(bool ok) {
  if (!ok) std::abort();  // out of memory, or a libcrypto without SHA-256
}

}  // namespace

struct Sha256::State {
  State() : context(EVP_MD_CTX_new()) { Check(context != nullptr); }
  ~State() { EVP_MD_CTX_free(context); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  EVP_MD_CTX* context;
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  Check(EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr) == 1);
}
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;
Sha256::~Sha256() = default;

void Sha256::Update(std::string_view bytes) {
  Check(EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()) == 1);
}

std::string Sha256::Digest() const {
  State copy;  // finishing ends a context, so a copy is finished
  Check(EVP_MD_CTX_copy_ex(copy.context, state_->context) == 1);
  std::string digest(kDigestBytes, '\0');
  unsigned int written = 0;
  Check(EVP_DigestFinal_ex(copy.context, reinterpret_cast<unsigned char*>(digest.data()),
                           &written) == 1);
  Check(written == kDigestBytes);
  return digest;
}

std::string Sha256::HexDigest() const { return absl::BytesToHexString(Digest()); }

std::string Sha256Hex(std::string_view bytes) {
  Sha256 hash;
  hash.Update(bytes);
  return hash.HexDigest();
}

}  // namespace kvscope::orchestrator
