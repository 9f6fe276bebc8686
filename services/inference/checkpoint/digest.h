// Digest of a model: what a unit of work's identity says about its weights.
#pragma once

#include <filesystem>
#include <string>

#include "absl/status/statusor.h"

namespace kvscope::inference {

// SHA-256 in lower-case hex over config.json, the weight files (and the shards' index) and, where
// they exist, generation_config.json and kvscope.json: each file's name, its length and its bytes.
// Reads every byte: about a second a gigabyte.
absl::StatusOr<std::string> WeightsDigest(const std::filesystem::path& directory);

}  // namespace kvscope::inference
