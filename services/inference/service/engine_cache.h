// EngineCache: the models that a process has open.
#pragma once

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
  // `models_dir`: where models (and scoring tokenizers) are looked up by name; empty: their names
  // are paths of any directory.
  explicit EngineCache(std::string models_dir) : models_dir_(std::move(models_dir)) {}

  // Opens `model` or returns it as it was opened, unless its files, or the scoring tokenizer's,
  // have changed since. The two used last stay open.
  // Errors: InvalidArgument (a name that leaves models_dir), NotFound (no such directory), and
  // those of Engine::Load.
  absl::StatusOr<std::shared_ptr<const Engine>> Open(const std::string& model,
                                                     const EngineOptions& options);

 private:
  struct Entry {
    std::string key;
    std::shared_ptr<const Engine> engine;
  };

  absl::StatusOr<std::string> Resolve(const std::string& field, const std::string& name) const;

  const std::string models_dir_;
  std::mutex mutex_;
  std::list<Entry> open_;  // the one used last comes first
};

}  // namespace kvscope::inference
