#include "services/orchestrator/sweep/sweep.h"

#include <array>
#include <cstdlib>
#include <fstream>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace kvscope::orchestrator {
namespace {

constexpr std::array<std::pair<Scale, std::string_view>, 2> kScales = {
    {{Scale::kPaper, "paper"}, {Scale::kPocket, "pocket"}}};
constexpr std::array<std::pair<Regime, std::string_view>, 3> kRegimes = {
    {{Regime::kAgnostic, "agnostic"},
     {Regime::kAware, "aware"},
     {Regime::kAwareEach, "aware_each"}}};

template <typename Table, typename Value>
std::string_view NameIn(const Table& table, Value value) {
  for (const auto& [known, name] : table) {
    if (known == value) return name;
  }
  std::abort();  // not a value of the enum
}

template <typename Value, size_t n>
std::optional<Value> ValueIn(const std::array<std::pair<Value, std::string_view>, n>& table,
                             std::string_view name) {
  for (const auto& [value, known] : table) {
    if (known == name) return value;
  }
  return std::nullopt;
}

}  // namespace

std::string_view ScaleName(Scale scale) { return NameIn(kScales, scale); }
std::string_view RegimeName(Regime regime) { return NameIn(kRegimes, regime); }
std::optional<Scale> ScaleOf(std::string_view name) { return ValueIn(kScales, name); }
std::optional<Regime> RegimeOf(std::string_view name) { return ValueIn(kRegimes, name); }

absl::StatusOr<Sweep> LoadSweep(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(kMaxSweepBytes + 1, '\0');
  // A folder opens but cannot be read; an empty file reads nothing and is judged by the parser.
  if (!file || !(file.read(text.data(), static_cast<std::streamsize>(text.size())) || file.eof())) {
    return absl::NotFoundError(absl::StrCat(path, ": no sweep file can be read there"));
  }
  text.resize(static_cast<size_t>(file.gcount()));
  return ParseSweep(text, path);
}

}  // namespace kvscope::orchestrator
