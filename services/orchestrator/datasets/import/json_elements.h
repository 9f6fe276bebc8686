// The elements of one large JSON document, handed out one by one.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "services/orchestrator/datasets/import/row.h"

namespace kvscope::orchestrator {

struct JsonElement {
  std::string path;  // such as `data[3].paragraphs[0]`
  const nlohmann::json& value;
  bool damaged;  // the document had bytes that are no UTF-8, and DEL stands for each of them
};

// Whether such a byte stands somewhere in a damaged document's value.
bool HoldsBrokenBytes(const nlohmann::json& value);

// Reads `document` once and calls `take` for every value at `path`: keys, and `*` for every element
// of a list.  `lost` is told of what stands on the way but leads nowhere: a list where an object is
// needed, an object without the key.  Beside the document, memory is that of one element.
// A byte that is no UTF-8 is overwritten by DEL.  An element with a key given twice goes to `lost`.
// Errors: InvalidArgument `FILE: ...` for what is not JSON and brackets more than 64 deep, saying
// how far it was read; what came before was handed out.
absl::Status ForEachElement(
    const std::string& file, std::string& document, std::span<const std::string_view> path,
    const std::function<void(const JsonElement&)>& take,
    const std::function<void(const std::string& path, const Problem&)>& lost);

}  // namespace kvscope::orchestrator
