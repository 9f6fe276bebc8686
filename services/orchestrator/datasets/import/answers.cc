#include "services/orchestrator/datasets/import/answers.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "absl/strings/str_cat.h"

namespace kvscope::orchestrator {

using nlohmann::json;

void SetAnswers(std::vector<std::string> texts, const std::vector<int64_t>& starts, Row& row) {
  for (size_t i = 0; i < std::min(texts.size(), starts.size()); ++i) {
    if (starts[i] >= 0) row.placed.push_back({texts[i], starts[i]});
  }
  std::set<std::string> seen;
  for (std::string& text : texts) {
    if (!seen.insert(text).second) continue;
    if (seen.size() == 1) {
      row.question.answer = std::move(text);
    } else {
      row.question.aliases.push_back(std::move(text));
    }
  }
}

std::vector<int64_t> ReadStarts(JsonFields& fields, std::string_view key) {
  const json& field = fields.At(key);
  if (field.is_null()) return {};
  std::vector<int64_t> starts;
  const auto add = [&](const json& value) {
    const bool fits = value.is_number_unsigned() && value.get<uint64_t>() <= INT32_MAX;
    if (!fits && !value.is_null()) {
      fields.Report(Reason::kWrongField, key,
                    absl::StrCat("is ", DescribeJson(value), ", must be a whole number from 0"));
    }
    starts.push_back(fits ? value.get<int64_t>() : -1);
  };
  if (!field.is_array()) {
    add(field);
    return starts;
  }
  for (const json& start : field) add(start);
  return starts;
}

}  // namespace kvscope::orchestrator
