// Token ids from a JSON file, as `inspect forward` and `inspect press` read them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "absl/status/statusor.h"

namespace kvscope::inference {

// A list of ids, or an object with the list under "ids" (what `inspect tokens` prints). Errors:
// NotFound; InvalidArgument that names the file and the entry.
absl::StatusOr<std::vector<int32_t>> ReadIds(const std::filesystem::path& path);

}  // namespace kvscope::inference
