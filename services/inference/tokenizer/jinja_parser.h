// Parses a template's tokens.
#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "services/inference/tokenizer/jinja_ast.h"

namespace kvscope::inference::jinja {

// `source` must be valid UTF-8.
// Errors: InvalidArgument "line N: ..." with the construct; also for what nests too deep.
absl::StatusOr<Template> ParseTemplate(std::string_view source);

}  // namespace kvscope::inference::jinja
