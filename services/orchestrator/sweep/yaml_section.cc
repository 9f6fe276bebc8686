#include "services/orchestrator/sweep/yaml_section.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "services/orchestrator/sweep/nearest_name.h"
#include "services/orchestrator/sweep/utf8.h"

namespace kvscope::orchestrator {
namespace {

constexpr size_t kMaxTextBytes = 10'000;
constexpr size_t kMaxElements = 1'000;

// A plain scalar; a quoted one carries the tag "!".
bool IsPlainScalar(const YAML::Node& node) { return node.IsScalar() && node.Tag() != "!"; }

}  // namespace

void YamlErrors::Report(const YAML::Mark& mark, std::string_view field, std::string_view what) {
  if (!status_.ok()) return;
  const std::string line = mark.is_null() ? "" : absl::StrCat(":", mark.line + 1);
  const std::string where = field.empty() ? "" : absl::StrCat(std::string(field), ": ");
  status_ = absl::InvalidArgumentError(absl::StrCat(origin_, line, ": ", where, std::string(what)));
}

std::string Describe(const YAML::Node& node) {
  if (node.IsSequence()) return "a list";
  if (node.IsMap()) return "a map";
  if (node.IsScalar()) return Quoted(node.Scalar());
  return "empty";
}

void ReadText(const YAML::Node& node, const std::string& field, YamlErrors& errors,
              std::string* value) {
  if (!node.IsScalar()) {
    errors.Report(node.Mark(), field, absl::StrCat("is ", Describe(node), ", must be text"));
  } else if (node.Scalar().size() > kMaxTextBytes) {
    errors.Report(
        node.Mark(), field,
        absl::StrCat("has ", node.Scalar().size(), " bytes, allowed are at most ", kMaxTextBytes));
  } else {
    *value = node.Scalar();
  }
}

void ReadNumber(const YAML::Node& node, const std::string& field, YamlErrors& errors,
                double* value) {
  double number = 0;
  if (!IsPlainScalar(node) || !absl::SimpleAtod(node.Scalar(), &number) || !std::isfinite(number)) {
    errors.Report(node.Mark(), field, absl::StrCat("is ", Describe(node), ", must be a number"));
    return;
  }
  *value = number == 0 ? 0 : number;  // no negative zero
}

YamlSection::YamlSection(const YAML::Node& node, std::string path,
                         std::span<const std::string_view> keys, YamlErrors& errors)
    : path_(std::move(path)), mark_(node.Mark()), errors_(errors) {
  if (!node.IsMap()) {
    errors_.Report(mark_, path_,
                   absl::StrCat(path_.empty() ? "the file is " : "is ", Describe(node),
                                ", must be a map of keys and values"));
    return;
  }
  for (const auto& entry : node) Add(entry.first, entry.second, keys);
}

void YamlSection::Add(const YAML::Node& key, const YAML::Node& value,
                      std::span<const std::string_view> keys) {
  if (!errors_.status().ok()) return;  // only the first error is told
  if (!key.IsScalar()) {
    errors_.Report(key.Mark(), path_, absl::StrCat("a key is ", Describe(key), ", must be text"));
    return;
  }
  const std::string& name = key.Scalar();
  if (std::find(keys.begin(), keys.end(), name) == keys.end()) {
    errors_.Report(key.Mark(), path_,
                   absl::StrCat("unknown key ", Quoted(name), KnownNames(name, keys)));
  } else if (Has(name)) {
    errors_.Report(key.Mark(), Field(name), "is given twice");
  } else {
    entries_.push_back({name, value});
  }
}

std::optional<YAML::Node> YamlSection::Find(std::string_view key) const {
  for (const Entry& entry : entries_) {
    if (entry.key == key) return entry.value;
  }
  return std::nullopt;
}

std::string YamlSection::Field(std::string_view key) const {
  return path_.empty() ? std::string(key) : absl::StrCat(path_, ".", std::string(key));
}

void YamlSection::Require(std::string_view key) {
  if (!Has(key)) errors_.Report(mark_, Field(key), "is missing and has no default");
}

void YamlSection::Text(std::string_view key, std::string* value) {
  if (const auto node = Find(key)) ReadText(*node, Field(key), errors_, value);
}

void YamlSection::Text(std::string_view key, std::optional<std::string>* value) {
  std::string text;
  Text(key, &text);
  if (Has(key)) *value = std::move(text);
}

void YamlSection::Flag(std::string_view key, bool* value) {
  const auto node = Find(key);
  if (!node) return;
  if (IsPlainScalar(*node) && (node->Scalar() == "true" || node->Scalar() == "false")) {
    *value = node->Scalar() == "true";
    return;
  }
  errors_.Report(node->Mark(), Field(key),
                 absl::StrCat("is ", Describe(*node), ", must be true or false"));
}

void YamlSection::Integer(std::string_view key, int64_t low, int64_t high, int64_t* value) {
  const auto node = Find(key);
  if (!node) return;
  int64_t number = 0;
  if (!IsPlainScalar(*node) || !absl::SimpleAtoi(node->Scalar(), &number) || number < low ||
      number > high) {
    errors_.Report(
        node->Mark(), Field(key),
        absl::StrCat("is ", Describe(*node), ", must be a whole number from ", low, " to ", high));
    return;
  }
  *value = number;
}

void YamlSection::Unsigned(std::string_view key, uint64_t* value) {
  const auto node = Find(key);
  if (!node) return;
  uint64_t number = 0;
  if (!IsPlainScalar(*node) || !absl::SimpleAtoi(node->Scalar(), &number)) {
    errors_.Report(node->Mark(), Field(key),
                   absl::StrCat("is ", Describe(*node), ", must be a whole number from 0 to ",
                                std::numeric_limits<uint64_t>::max()));
    return;
  }
  *value = number;
}

void YamlSection::Choice(std::string_view key, std::span<const std::string_view> allowed,
                         std::string* value) {
  const auto node = Find(key);
  if (!node) return;
  std::string text;
  ReadText(*node, Field(key), errors_, &text);
  if (!node->IsScalar()) return;
  if (std::find(allowed.begin(), allowed.end(), text) == allowed.end()) {
    errors_.Report(node->Mark(), Field(key),
                   absl::StrCat("is ", Quoted(text), KnownNames(text, allowed)));
    return;
  }
  *value = std::move(text);
}

void YamlSection::Number(std::string_view key, double low, double high, bool open, double* value) {
  const auto node = Find(key);
  if (!node) return;
  double number = low;
  ReadNumber(*node, Field(key), errors_, &number);
  if (number < low || number > high || (open && number == high)) {
    errors_.Report(
        node->Mark(), Field(key),
        absl::StrCat("is ", Describe(*node), ", must be in [", low, ", ", high, open ? ")" : "]"));
    return;
  }
  *value = number;
}

std::vector<YAML::Node> YamlSection::List(std::string_view key) {
  std::vector<YAML::Node> elements;
  const auto node = Find(key);
  if (!node) return elements;
  if (!node->IsSequence()) {
    errors_.Report(node->Mark(), Field(key),
                   absl::StrCat("is ", Describe(*node), ", must be a list"));
    return elements;
  }
  if (node->size() > kMaxElements) {
    errors_.Report(
        node->Mark(), Field(key),
        absl::StrCat("has ", node->size(), " elements, allowed are at most ", kMaxElements));
    return elements;
  }
  for (const auto& element : *node) elements.push_back(element);
  if (elements.empty()) {
    errors_.Report(node->Mark(), Field(key), "is an empty list, must have at least one element");
  }
  return elements;
}

}  // namespace kvscope::orchestrator
