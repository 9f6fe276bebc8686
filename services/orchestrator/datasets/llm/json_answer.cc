#include "services/orchestrator/datasets/llm/json_answer.h"

#include <optional>
#include <string>

#include "absl/strings/str_cat.h"

namespace kvscope::orchestrator::llm {
namespace {

using nlohmann::json;

constexpr int kMaxDepth = 32;
constexpr int kMaxCandidates = 64;
constexpr std::string_view kThoughtEnd = "</think>";

// The length of the object that `text` begins with: up to the brace that closes the first one.
// Nothing if there is none, or if brackets nest too deep.
std::optional<size_t> ObjectLength(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > kMaxDepth) return std::nullopt;
    } else if (c == '}' || c == ']') {
      if (--depth == 0) return i + 1;
    }
  }
  return std::nullopt;
}

}  // namespace

absl::StatusOr<json> FindJsonObject(std::string_view answer, std::string_view key) {
  if (const size_t thought = answer.rfind(kThoughtEnd); thought != std::string_view::npos) {
    answer.remove_prefix(thought + kThoughtEnd.size());
  }
  bool unclosed = false;
  bool malformed = false;
  size_t at = answer.find('{');
  for (int tried = 0; at != std::string_view::npos && tried < kMaxCandidates; ++tried) {
    const std::optional<size_t> length = ObjectLength(answer.substr(at));
    size_t next = at + 1;
    if (length) {
      json object = json::parse(answer.substr(at, *length), nullptr, /*allow_exceptions=*/false);
      if (object.is_object() && object.contains(key)) return object;
      malformed |= object.is_discarded();
      if (!object.is_discarded()) next = at + *length;  // another object: look behind it
    }
    unclosed |= !length;
    at = answer.find('{', next);
  }
  if (malformed) return absl::InvalidArgumentError("the answer's JSON is not well formed");
  if (unclosed) {
    return absl::InvalidArgumentError(
        "the answer's JSON object is not closed, as if the answer had been cut off");
  }
  return absl::InvalidArgumentError(
      absl::StrCat("the answer holds no JSON object with the key \"", std::string(key), "\""));
}

}  // namespace kvscope::orchestrator::llm
