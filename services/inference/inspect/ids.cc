#include "services/inference/inspect/ids.h"

#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "services/inference/checkpoint/mapped_file.h"

namespace kvscope::inference {
namespace {

constexpr size_t kMaxIdsBytes = 256 << 20;
constexpr int64_t kMaxId = 1 << 30;

}  // namespace

absl::StatusOr<std::vector<int32_t>> ReadIds(const std::filesystem::path& path) {
  absl::StatusOr<std::string> text = ReadTextFile(path, kMaxIdsBytes);
  if (!text.ok()) return text.status();
  bool too_deep = false;
  const auto limit = [&](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
    too_deep = too_deep || depth > 3;
    return depth <= 3;
  };
  const nlohmann::json parsed = nlohmann::json::parse(*text, limit, /*allow_exceptions=*/false);
  const nlohmann::json* list = &parsed;
  if (parsed.is_object() && parsed.contains("ids")) list = &parsed["ids"];
  if (too_deep || !list->is_array()) {
    return absl::InvalidArgumentError(absl::StrCat(
        path.string(), R"(: is neither a JSON list of token ids nor an object {"ids": [...]})"));
  }
  std::vector<int32_t> ids;
  for (const nlohmann::json& id : *list) {
    if (!id.is_number_unsigned() || id.get<uint64_t>() > static_cast<uint64_t>(kMaxId)) {
      return absl::InvalidArgumentError(
          absl::StrCat(path.string(), ": entry ", ids.size(), " is not a token id"));
    }
    ids.push_back(static_cast<int32_t>(id.get<uint64_t>()));
  }
  return ids;
}

}  // namespace kvscope::inference
