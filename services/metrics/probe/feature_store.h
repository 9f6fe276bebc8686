// The metrics service's store of pooled hidden states: a folder with one file a unit.
#pragma once

#include <filesystem>
#include <memory>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/metrics/probe/feature_file.h"
#include "services/metrics/probe/feature_writer.h"

namespace kvscope::metrics {

// A unit's key is 64 hex digits in lower case (a SHA-256): nothing else becomes a file's name, so
// every function of a unit is InvalidArgument for anything else. Any thread, any process.
class FeatureStore {
 public:
  // Makes the folder where it is not there, and removes what writers that died left in it.
  // Errors: InvalidArgument (it is not a folder), Unavailable.
  static absl::StatusOr<FeatureStore> Open(const std::filesystem::path& folder);

  // Begins the unit's file; Commit() replaces what was stored of the unit before.
  // Errors: as FeatureWriter::Open.
  absl::StatusOr<std::unique_ptr<FeatureWriter>> Write(std::string_view unit_key,
                                                       FeatureShape shape) const;
  // Errors: NotFound; as UnitFeatures::Open.
  absl::StatusOr<std::shared_ptr<const UnitFeatures>> Read(std::string_view unit_key) const;
  // A unit that is not stored is removed already. Errors: Unavailable.
  absl::Status Remove(std::string_view unit_key) const;

  const std::filesystem::path& folder() const { return folder_; }

 private:
  explicit FeatureStore(std::filesystem::path folder) : folder_(std::move(folder)) {}
  absl::StatusOr<std::filesystem::path> PathOf(std::string_view unit_key) const;

  std::filesystem::path folder_;
};

}  // namespace kvscope::metrics
