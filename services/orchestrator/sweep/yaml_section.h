// Strict reading of YAML maps.  Not for headers of ours: yaml-cpp is slow to compile.
#pragma once

#include <yaml-cpp/yaml.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace kvscope::orchestrator {

// Keeps the first error of a file, as `ORIGIN:LINE: FIELD: WHAT`.
class YamlErrors {
 public:
  explicit YamlErrors(std::string origin) : origin_(std::move(origin)) {}

  void Report(const YAML::Mark& mark, std::string_view field, std::string_view what);
  const absl::Status& status() const { return status_; }

 private:
  std::string origin_;
  absl::Status status_;
};

// What a node is, for messages: `a list`, `a map`, `"text"`, `empty`.
std::string Describe(const YAML::Node& node);

// Readers of one node.  On a value of the wrong type or out of range they report it under `field`
// and leave `value` alone.  A quoted scalar is text, never a number.
void ReadText(const YAML::Node& node, const std::string& field, YamlErrors& errors,
              std::string* value);
void ReadNumber(const YAML::Node& node, const std::string& field, YamlErrors& errors,
                double* value);

// One map of the file.  Reports a node that is no map, an unknown key with the nearest known one,
// and a repeated key; a key that is not there leaves its value alone.
class YamlSection {
 public:
  // `path` leads to the section: empty for the file itself, else such as `capture.graph`.
  YamlSection(const YAML::Node& node, std::string path, std::span<const std::string_view> keys,
              YamlErrors& errors);

  bool Has(std::string_view key) const { return Find(key).has_value(); }
  std::optional<YAML::Node> Find(std::string_view key) const;
  std::string Field(std::string_view key) const;  // the key with its path
  const YAML::Mark& mark() const { return mark_; }

  void Require(std::string_view key);
  void Text(std::string_view key, std::string* value);
  void Text(std::string_view key, std::optional<std::string>* value);
  void Flag(std::string_view key, bool* value);
  void Integer(std::string_view key, int64_t low, int64_t high, int64_t* value);
  void Unsigned(std::string_view key, uint64_t* value);
  // Text that must be one of `allowed`.
  void Choice(std::string_view key, std::span<const std::string_view> allowed, std::string* value);
  // A number in [low, high], or in [low, high) with `open`.
  void Number(std::string_view key, double low, double high, bool open, double* value);
  // The elements of a list of 1 to 1,000; none (and a report) if it is anything else.
  std::vector<YAML::Node> List(std::string_view key);

 private:
  struct Entry {
    std::string key;
    YAML::Node value;
  };
  void Add(const YAML::Node& key, const YAML::Node& value, std::span<const std::string_view> keys);

  std::string path_;
  YAML::Mark mark_;
  YamlErrors& errors_;
  std::vector<Entry> entries_;
};

}  // namespace kvscope::orchestrator
