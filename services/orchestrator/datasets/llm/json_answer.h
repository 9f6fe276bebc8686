// The JSON object in a model's answer, whatever stands around it.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "absl/status/statusor.h"

namespace kvscope::orchestrator::llm {

// The first well-formed JSON object of `answer` that has `key`: bare, in a Markdown fence, or with
// prose around it; what a reasoning model thinks aloud (up to the last `</think>`) is passed over.
// Brackets nest at most 32 deep.  O(|answer|) for each of the first 64 opening braces.
// Errors: InvalidArgument, a sentence that tells the model what to mend.
absl::StatusOr<nlohmann::json> FindJsonObject(std::string_view answer, std::string_view key);

}  // namespace kvscope::orchestrator::llm
