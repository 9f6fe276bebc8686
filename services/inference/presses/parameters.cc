#include "services/inference/presses/parameters.h"

#include <algorithm>
#include <cassert>
#include <charconv>
#include <cmath>
#include <numeric>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace kvscope::inference {
namespace {

template <typename Number>
std::optional<double> WholeNumber(std::string_view text) {
  Number value{};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end) return std::nullopt;
  return static_cast<double>(value);
}

// The value of `text` as `type`; nothing if it is none.
std::optional<double> ReadValue(std::string_view type, std::string_view text) {
  if (type == "int") return WholeNumber<int64_t>(text);
  if (type == "float") {
    const std::optional<double> value = WholeNumber<double>(text);
    return value && std::isfinite(*value) ? value : std::nullopt;
  }
  assert(type == "bool");
  if (text == "true" || text == "True") return 1;
  if (text == "false" || text == "False") return 0;
  return std::nullopt;
}

bool InRange(const ParameterInfo& info, double value) {
  if (info.range.empty()) return true;
  if (info.odd && std::fmod(value, 2) == 0) return false;
  return info.min <= value && value <= info.max;
}

std::string Allowed(const ParameterInfo& info) {
  if (info.type == "bool") return "true or false";
  const char* article = info.type == "int" ? "an " : "a ";
  if (info.range.empty()) return absl::StrCat(article, std::string(info.type));
  return absl::StrCat(article, std::string(info.type), ", ", std::string(info.range));
}

// A default as a number; nothing for the seed's empty one.
std::optional<double> DefaultValue(const ParameterInfo& info) {
  if (info.default_value.empty()) return std::nullopt;
  const std::optional<double> value = ReadValue(info.type, info.default_value);
  assert(value && InRange(info, *value));
  return value;
}

absl::Status UnknownParameter(std::string_view owner, std::span<const ParameterInfo> infos,
                              std::string_view keyword) {
  if (keyword == "compression_ratio") {
    return absl::InvalidArgumentError(
        "compression_ratio is no parameter of a press here: a sweep's ratios are its own list");
  }
  std::string message =
      absl::StrCat(std::string(owner), " has no parameter \"", std::string(keyword), "\"");
  std::vector<std::string_view> names;
  for (const ParameterInfo& info : infos) names.push_back(info.name);
  const std::string_view nearest = Nearest(keyword, names);
  if (!nearest.empty()) {
    absl::StrAppend(&message, "; did you mean \"", std::string(nearest), "\"?");
  } else if (names.empty()) {
    absl::StrAppend(&message, "; it has none");
  } else {
    absl::StrAppend(&message, "; it has ",
                    absl::StrJoin(names, ", ", [](std::string* out, std::string_view name) {
                      out->append(name);
                    }));
  }
  return absl::InvalidArgumentError(message);
}

std::string PrintValue(const ParameterInfo& info, double value) {
  if (info.type == "bool") return value != 0 ? "true" : "false";
  char buffer[32];  // the shortest form that reads back as the same double
  const auto [end, error] =
      info.type == "int" ? std::to_chars(buffer, std::end(buffer), static_cast<int64_t>(value))
                         : std::to_chars(buffer, std::end(buffer), value);
  assert(error == std::errc());
  return std::string(buffer, end);
}

int EditDistance(std::string_view a, std::string_view b) {
  std::vector<int> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (size_t i = 1; i <= a.size(); ++i) {
    int diagonal = row[0];
    row[0] = static_cast<int>(i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const int substituted = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row.back();
}

}  // namespace

absl::StatusOr<ParameterValues> ReadParameters(std::string_view owner,
                                               std::span<const ParameterInfo> infos,
                                               std::span<const Argument> arguments, double seed) {
  std::vector<std::optional<double>> given(infos.size());
  for (const Argument& argument : arguments) {
    const auto info = std::find_if(infos.begin(), infos.end(), [&](const ParameterInfo& candidate) {
      return candidate.name == argument.keyword;
    });
    if (info == infos.end()) return UnknownParameter(owner, infos, argument.keyword);
    std::optional<double>& value = given[info - infos.begin()];
    if (value) {
      return absl::InvalidArgumentError(
          absl::StrCat(std::string(owner), " is given ", argument.keyword, " twice"));
    }
    if (!argument.value.parenthesised) value = ReadValue(info->type, argument.value.word);
    if (!value || !InRange(*info, *value)) {
      return absl::InvalidArgumentError(absl::StrCat(
          argument.keyword, " of ", std::string(owner), " must be ", Allowed(*info), "; found \"",
          argument.value.word, argument.value.parenthesised ? "(...)\"" : "\""));
    }
  }
  ParameterValues values;
  for (size_t i = 0; i < infos.size(); ++i) {
    values.push_back(given[i] ? *given[i] : DefaultValue(infos[i]).value_or(seed));
  }
  return values;
}

std::vector<std::string> PrintParameters(std::span<const ParameterInfo> infos,
                                         const ParameterValues& values) {
  assert(values.size() == infos.size());
  std::vector<std::string> printed;
  for (size_t i = 0; i < infos.size(); ++i) {
    if (DefaultValue(infos[i]) == values[i]) continue;
    printed.push_back(
        absl::StrCat(std::string(infos[i].name), "=", PrintValue(infos[i], values[i])));
  }
  return printed;
}

std::string_view Nearest(std::string_view word, std::span<const std::string_view> known) {
  std::string_view nearest;
  int fewest = std::max<int>(2, static_cast<int>(word.size()) / 2) + 1;
  for (const std::string_view candidate : known) {
    if (word.size() > 2 && candidate.starts_with(word)) return candidate;
    const int distance = EditDistance(word, candidate);
    if (distance < fewest) {
      fewest = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

}  // namespace kvscope::inference
