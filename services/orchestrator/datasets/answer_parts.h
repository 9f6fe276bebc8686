// Answers gathered from several regions of a passage: "Ann and Bob".
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kvscope::orchestrator {

// Whether `parts`, joined by commas and "and" in any order, are all of `answer`, and every one of
// them stands in it.  All of them as NormalizeText has them; blank parts are passed over.
bool IsMadeOf(std::string_view answer, const std::vector<std::string>& parts);

}  // namespace kvscope::orchestrator
