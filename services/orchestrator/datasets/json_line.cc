#include "services/orchestrator/datasets/json_line.h"

#include <algorithm>
#include <exception>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/orchestrator/sweep/utf8.h"

namespace kvscope::orchestrator {
namespace {

using nlohmann::json;

constexpr int kMaxDepth = 16;  // a passage needs 6; unknown fields may have a few more

// How deep brackets nest outside strings; the JSON need not be well formed.
int NestingDepth(std::string_view text) {
  int depth = 0;
  int deepest = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string && c == '\\') {
      ++i;
    } else if (c == '"') {
      in_string = !in_string;
    } else if (!in_string && (c == '[' || c == '{')) {
      deepest = std::max(deepest, ++depth);
    } else if (!in_string && (c == ']' || c == '}')) {
      --depth;
    }
  }
  return deepest;
}

}  // namespace

absl::StatusOr<json> ParseJsonLine(std::string_view line, const std::string& where) {
  const auto error = [&](const std::string& what) {
    return absl::InvalidArgumentError(absl::StrCat(where, ": ", what));
  };
  if (const auto bad = InvalidUtf8At(line)) {
    return error(absl::StrCat("byte ", *bad + 1, " of the line is not UTF-8"));
  }
  if (NestingDepth(line) > kMaxDepth) {
    return error(absl::StrCat("brackets nest more than ", kMaxDepth, " deep"));
  }
  std::vector<std::set<std::string>> keys;
  std::string twice;
  const auto watch = [&](int, json::parse_event_t event, json& parsed) {
    if (event == json::parse_event_t::object_start) keys.emplace_back();
    if (event == json::parse_event_t::object_end) keys.pop_back();
    if (event == json::parse_event_t::key &&
        !keys.back().insert(parsed.get<std::string>()).second) {
      twice = parsed.get<std::string>();
    }
    return true;
  };
  try {
    json value = json::parse(line, watch);
    if (!twice.empty()) return error(absl::StrCat("key ", Quoted(twice), " is given twice"));
    return value;
  } catch (const json::parse_error& e) {
    return error(absl::StrCat("is not valid JSON at byte ", e.byte, " of the line"));
  } catch (const std::exception& e) {
    return error(absl::StrCat("cannot be read as JSON: ", e.what()));
  }
}

}  // namespace kvscope::orchestrator
