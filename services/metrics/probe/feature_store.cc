#include "services/metrics/probe/feature_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <system_error>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "services/status_macros.h"

namespace kvscope::metrics {
namespace {

constexpr size_t kKeyDigits = 64;
constexpr std::string_view kFileSuffix = ".features";

bool IsUnitKey(std::string_view key) {
  return key.size() == kKeyDigits && std::all_of(key.begin(), key.end(), [](char digit) {
           return (digit >= '0' && digit <= '9') || (digit >= 'a' && digit <= 'f');
         });
}

// A writer that lives holds the lock.
void RemoveIfAbandoned(const std::filesystem::path& part) {
  const int descriptor = ::open(part.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
  if (descriptor < 0) return;
  if (::flock(descriptor, LOCK_EX | LOCK_NB) == 0) ::unlink(part.c_str());
  ::close(descriptor);
}

}  // namespace

absl::StatusOr<FeatureStore> FeatureStore::Open(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (std::error_code ignored;
      std::filesystem::exists(folder, ignored) && !std::filesystem::is_directory(folder, ignored)) {
    return absl::InvalidArgumentError(
        absl::StrCat(folder.string(), ": the store of hidden states must be a folder"));
  }
  std::filesystem::directory_iterator entries;
  if (!error) entries = std::filesystem::directory_iterator(folder, error);
  if (error) return absl::UnavailableError(absl::StrCat(folder.string(), ": ", error.message()));
  while (entries != std::filesystem::directory_iterator()) {
    const std::string name = entries->path().filename().string();
    if (name.ends_with(kPartSuffix) && IsUnitKey(std::string_view(name).substr(0, kKeyDigits))) {
      RemoveIfAbandoned(entries->path());
    }
    entries.increment(error);
    if (error) break;  // what is left is removed another time
  }
  return FeatureStore(folder);
}

absl::StatusOr<std::filesystem::path> FeatureStore::PathOf(std::string_view unit_key) const {
  if (!IsUnitKey(unit_key)) {
    const std::string shown(unit_key.substr(0, 2 * kKeyDigits));
    return absl::InvalidArgumentError(absl::StrCat("unit key '", absl::CHexEscape(shown), "' (",
                                                   unit_key.size(), " bytes): expected ",
                                                   kKeyDigits, " hex digits in lower case"));
  }
  return folder_ / (std::string(unit_key) + std::string(kFileSuffix));
}

absl::StatusOr<std::unique_ptr<FeatureWriter>> FeatureStore::Write(std::string_view unit_key,
                                                                   FeatureShape shape) const {
  KVSCOPE_ASSIGN_OR_RETURN(std::filesystem::path path, PathOf(unit_key));
  return FeatureWriter::Open(std::move(path), std::move(shape));
}

absl::StatusOr<std::shared_ptr<const UnitFeatures>> FeatureStore::Read(
    std::string_view unit_key) const {
  KVSCOPE_ASSIGN_OR_RETURN(const std::filesystem::path path, PathOf(unit_key));
  return UnitFeatures::Open(path);
}

absl::Status FeatureStore::Remove(std::string_view unit_key) const {
  KVSCOPE_ASSIGN_OR_RETURN(const std::filesystem::path path, PathOf(unit_key));
  std::error_code error;
  std::filesystem::remove(path, error);
  if (error) return absl::UnavailableError(absl::StrCat(path.string(), ": ", error.message()));
  return absl::OkStatus();
}

}  // namespace kvscope::metrics
