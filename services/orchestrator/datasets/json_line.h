// One line of foreign bytes as JSON, within bounds.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace kvscope::orchestrator {

// The value that `line` holds; `where` is its `FILE:LINE`.  A key given twice is an error: JSON
// leaves open which one counts.
// Errors: InvalidArgument `WHERE: what was found` for bytes that are not UTF-8, brackets that nest
// more than 16 deep, and what is not JSON.
absl::StatusOr<nlohmann::json> ParseJsonLine(std::string_view line, const std::string& where);

}  // namespace kvscope::orchestrator
