// Several answers to one question: the first is the gold one, the others are as good.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "services/orchestrator/datasets/import/json_fields.h"
#include "services/orchestrator/datasets/import/row.h"

namespace kvscope::orchestrator {

// Sets answer, aliases (each text once) and places.  `starts` may be shorter than `texts`.
void SetAnswers(std::vector<std::string> texts, const std::vector<int64_t>& starts, Row& row);

// A list of code points, or one; -1 for null.  Wrong: what is no whole number from 0.
std::vector<int64_t> ReadStarts(JsonFields& fields, std::string_view key);

}  // namespace kvscope::orchestrator
