#include "services/inference/service/engine_cache.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "services/rpc/telemetry.h"
#include "services/status_macros.h"

namespace kvscope::inference {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxOpen = 2;

// A NUL would end the path for the system, but not for us: "..\0" is no "..", yet means it.
bool LeavesFolder(const fs::path& name) {
  if (name.empty() || name.is_absolute()) return true;
  if (name.native().find('\0') != std::string::npos) return true;
  return std::any_of(name.begin(), name.end(), [](const fs::path& part) { return part == ".."; });
}

// Changes whenever a file of the model does.
std::string Fingerprint(const std::string& directory) {
  std::string print;
  std::error_code error;
  std::vector<std::string> files;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    if (!it->is_regular_file(ignored)) continue;
    files.push_back(absl::StrCat(it->path().filename().string(), " ", it->file_size(ignored), " ",
                                 it->last_write_time(ignored).time_since_epoch().count()));
  }
  std::sort(files.begin(), files.end());
  for (const std::string& file : files) absl::StrAppend(&print, file, "\n");
  return print;
}

uint64_t WeightBytes(const std::string& directory) {
  uint64_t bytes = 0;
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    std::error_code no_file;
    const uintmax_t size = it->file_size(no_file);
    if (!no_file && it->path().extension() == ".safetensors") bytes += size;
  }
  return bytes;
}

}  // namespace

absl::StatusOr<std::string> EngineCache::Resolve(const std::string& field,
                                                 const std::string& name) const {
  fs::path path = name;
  if (!models_dir_.empty()) {
    if (LeavesFolder(path)) {
      return absl::InvalidArgumentError(
          absl::StrCat(field, ": \"", absl::CHexEscape(name),
                       "\" must be the name of a folder in the models directory of the cluster, "
                       "neither an absolute path nor one with \"..\""));
    }
    path = fs::path(models_dir_) / path;
  }
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    return absl::NotFoundError(absl::StrCat(field, ": there is no directory ", path.string()));
  }
  return path.string();
}

absl::StatusOr<std::shared_ptr<const Engine>> EngineCache::Open(const std::string& model,
                                                                const EngineOptions& options) {
  EngineOptions resolved = options;
  KVSCOPE_ASSIGN_OR_RETURN(const std::string directory, Resolve("model", model));
  if (!options.scoring_tokenizer.empty()) {
    KVSCOPE_ASSIGN_OR_RETURN(resolved.scoring_tokenizer,
                             Resolve("score.tokenizer", options.scoring_tokenizer));
  }
  const std::string key = absl::StrCat(
      directory, "\n", resolved.device, "\n", resolved.dtype, "\n", resolved.scoring_tokenizer,
      "\n", Fingerprint(directory), "\n",
      resolved.scoring_tokenizer.empty() ? "" : Fingerprint(resolved.scoring_tokenizer));
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = std::find_if(open_.begin(), open_.end(),
                                  [&](const Entry& entry) { return entry.key == key; });
  if (found != open_.end()) {
    open_.splice(open_.begin(), open_, found);
    return found->engine;
  }
  const uint64_t weight_bytes = WeightBytes(directory);
  // First, so that memory holds no third, and no second large one.
  while (open_.size() >= kMaxOpen) open_.pop_back();
  if (!open_.empty() && open_.front().weight_bytes + weight_bytes > max_pair_bytes_) open_.clear();
  const auto begin = std::chrono::steady_clock::now();
  absl::StatusOr<std::unique_ptr<Engine>> loaded = Engine::Load(directory, resolved);
  if (absl::IsResourceExhausted(loaded.status()) && !open_.empty()) {
    open_.clear();  // the device is too small for two
    loaded = Engine::Load(directory, resolved);
  }
  if (!loaded.ok()) return loaded.status();
  const std::shared_ptr<const Engine> engine = *std::move(loaded);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  rpc::Log(rpc::LogLevel::kInfo, "model opened",
           {{"model", directory},
            {"device", engine->info().device},
            {"dtype", engine->info().dtype},
            {"seconds", absl::StrCat(seconds.count())}});
  open_.push_front({key, weight_bytes, engine});
  return engine;
}

}  // namespace kvscope::inference
