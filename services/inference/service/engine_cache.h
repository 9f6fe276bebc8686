// EngineCache: the models that a process has open.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>

#include "absl/status/statusor.h"
#include "services/inference/engine/engine.h"

namespace kvscope::inference {

// Thread-safe; whoever asks while a model loads waits for it.
class EngineCache {
 public:
  // Two models whose weights are larger together are not kept open.
  static constexpr uint64_t kMaxPairBytes = 1 << 30;

  // `models_dir`: where models (and scoring tokenizers) are looked up by name; empty: their names
  // are paths of any directory.
  explicit EngineCache(std::string models_dir, uint64_t max_pair_bytes = kMaxPairBytes)
      : models_dir_(std::move(models_dir)), max_pair_bytes_(max_pair_bytes) {}

  // Opens `model` or returns it as it was opened, unless its files, or the scoring tokenizer's,
  // have changed since. The two used last stay open if they are small; of large ones the last does,
  // and goes before another is read, so that a sweep over several needs the memory of the largest.
  // Errors: InvalidArgument (a name that leaves models_dir), NotFound (no such directory), and
  // those of Engine::Load.
  absl::StatusOr<std::shared_ptr<const Engine>> Open(const std::string& model,
                                                     const EngineOptions& options);

 private:
  struct Entry {
    std::string key;
    uint64_t weight_bytes = 0;  // of the files
    std::shared_ptr<const Engine> engine;
  };

  absl::StatusOr<std::string> Resolve(const std::string& field, const std::string& name) const;

  const std::string models_dir_;
  const uint64_t max_pair_bytes_;
  std::mutex mutex_;
  std::list<Entry> open_;  // the one used last comes first
};

}  // namespace kvscope::inference
