#include "services/inference/checkpoint/digest.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/inference/checkpoint/checkpoint.h"
#include "services/inference/checkpoint/mapped_file.h"
#include "services/inference/tensor/check.h"

namespace kvscope::inference {
namespace {

constexpr size_t kPieceBytes = size_t{64} << 20;  // of a file that are in memory at once

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    KVSCOPE_CHECK(EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1, "no SHA-256");
  }
  void Add(const void* data, size_t size) {
    KVSCOPE_CHECK(EVP_DigestUpdate(context_.get(), data, size) == 1, "SHA-256 failed");
  }
  std::string Hex() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
    unsigned int size = 0;
    KVSCOPE_CHECK(EVP_DigestFinal_ex(context_.get(), digest.data(), &size) == 1, "SHA-256 failed");
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string hex;
    for (unsigned int i = 0; i < size; ++i) {
      hex += kDigits[digest[i] >> 4];
      hex += kDigits[digest[i] & 15];
    }
    return hex;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

}  // namespace

absl::StatusOr<std::string> WeightsDigest(const std::filesystem::path& directory) {
  absl::StatusOr<Checkpoint> checkpoint = Checkpoint::Open(directory);
  if (!checkpoint.ok()) return checkpoint.status();
  std::vector<std::filesystem::path> paths = {directory / "config.json"};
  const std::filesystem::path index = directory / "model.safetensors.index.json";
  std::error_code error;
  if (!std::filesystem::exists(directory / "model.safetensors", error)) paths.push_back(index);
  for (std::filesystem::path& path : checkpoint->paths()) paths.push_back(std::move(path));
  // End tokens and the prompt's words: they decide answers as much as weights do.
  for (const char* name : {"generation_config.json", "kvscope.json"}) {
    if (std::filesystem::exists(directory / name, error)) paths.push_back(directory / name);
  }

  Sha256 hash;
  for (const std::filesystem::path& path : paths) {
    absl::StatusOr<std::shared_ptr<const MappedFile>> file = MappedFile::Open(path);
    if (!file.ok()) return file.status();
    // Name and length first, so that no two sets of files spell the same bytes.
    const std::string head =
        absl::StrCat(path.filename().string(), "\n", (*file)->bytes().size(), "\n");
    hash.Add(head.data(), head.size());
    std::span<const std::byte> rest = (*file)->bytes();
    while (!rest.empty()) {
      const size_t count = std::min(rest.size(), kPieceBytes);
      hash.Add(rest.data(), count);
      rest = rest.subspan(count);
      (*file)->ReleasePages();
    }
  }
  return hash.Hex();
}

}  // namespace kvscope::inference
