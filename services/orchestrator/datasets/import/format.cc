#include "services/orchestrator/datasets/import/format.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "services/orchestrator/sweep/nearest_name.h"
#include "services/orchestrator/sweep/utf8.h"

namespace kvscope::orchestrator {

extern const FormatInfo kCsv;
extern const FormatInfo kJsonl;
extern const FormatInfo kLongBench;
extern const FormatInfo kRuler;
extern const FormatInfo kSquad;

namespace {

constexpr const FormatInfo* kFormats[] = {
    &kSquad, &kRuler, &kLongBench, &kJsonl, &kCsv,
};

}  // namespace

bool FileHead::HasKey(std::string_view key) const {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

std::span<const FormatInfo* const> Formats() { return kFormats; }

absl::StatusOr<const FormatInfo*> FindFormat(std::string_view name) {
  std::vector<std::string_view> names;
  for (const FormatInfo* format : kFormats) {
    if (format->name == name) return format;
    names.push_back(format->name);
  }
  return absl::InvalidArgumentError(
      absl::StrCat(Quoted(name), " is no format", KnownNames(name, names)));
}

}  // namespace kvscope::orchestrator
