// The passages of a sweep: its files and generators as one stream.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "services/orchestrator/datasets/generator.h"
#include "services/orchestrator/datasets/jsonl.h"
#include "services/orchestrator/datasets/passage.h"
#include "services/orchestrator/datasets/sha256.h"
#include "services/orchestrator/sweep/sweep.h"

namespace kvscope::orchestrator {

// Entry after entry, each in its own order.  Memory: see PassageReader.
class PassageSource {
 public:
  // Relative file names are meant from `directory`, the sweep file's folder.
  // Errors, before any passage is read: InvalidArgument for an unknown generator, NotFound for a
  // file that cannot be opened; both name the field.
  static absl::StatusOr<PassageSource> Open(const Sweep& sweep, const std::string& directory);

  // The next passage; nothing at the end.  After an error there is no going on.
  // Errors: those of PassageReader, and InvalidArgument for ids used twice in the sweep.
  absl::StatusOr<std::optional<Passage>> Next();

  // Of the last passage: its entry in Sweep::datasets, and its index in that entry, from 0.
  size_t entry() const { return entry_; }
  int64_t index() const { return index_ - 1; }

  // SHA-256 over the canonical lines (each with its newline) of the passages so far; hex.
  std::string ContentDigest() const { return hash_.HexDigest(); }

 private:
  PassageSource(const Sweep& sweep, std::string directory);

  // The next passage of the current entry; nothing at its end.
  absl::StatusOr<std::optional<Passage>> NextOfEntry();
  absl::StatusOr<std::optional<Passage>> NextGenerated(const DatasetEntry& entry);

  Sweep sweep_;
  std::string directory_;
  std::shared_ptr<SeenIds> seen_;
  std::optional<PassageReader> reader_;  // of the current entry, if that is a file
  size_t entry_ = 0;
  int64_t index_ = 0;  // passages of the current entry so far
  bool done_ = false;
  Sha256 hash_;
};

// What a sweep's data sets come to.
struct SourceSummary {
  int64_t passages = 0;
  int64_t questions = 0;
  std::string content_digest;  // PassageSource's, at the end
};

// Reads all passages once.  Errors: PassageSource's.
absl::StatusOr<SourceSummary> SummarizeSource(const Sweep& sweep, const std::string& directory);

}  // namespace kvscope::orchestrator
