// Parameter values of a press expression: read, checked and printed by their ParameterInfo.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "services/inference/presses/expression.h"
#include "services/inference/scorers/scorer.h"

namespace kvscope::inference {

// Reads `arguments` (all with a keyword) of the press `owner` against its parameters; what is not
// given has its default, and where that is empty, `seed`.
// Errors: InvalidArgument for an unknown, repeated or malformed parameter, or one out of range.
absl::StatusOr<ParameterValues> ReadParameters(std::string_view owner,
                                               std::span<const ParameterInfo> infos,
                                               std::span<const Argument> arguments, double seed);

// "window_size=32, kernel_size=7": the parameters that differ from their defaults, in the entry's
// order.
std::vector<std::string> PrintParameters(std::span<const ParameterInfo> infos,
                                         const ParameterValues& values);

// The one of `known` that is fewest edits away from `word`; "" if none is close.
std::string_view Nearest(std::string_view word, std::span<const std::string_view> known);

}  // namespace kvscope::inference
