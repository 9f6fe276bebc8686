#include "services/client/cli/results_row.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

namespace kvscope::cli {
namespace {

void AppendInteger(int64_t value, std::string& text) {
  char digits[24];
  text.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
}

void AppendLayers(const LayerList& values, std::string& text) {
  text += '[';
  for (int i = 0; i < values.size(); ++i) {
    if (i > 0) text += ',';
    AppendNumber(values.Get(i), text);
  }
  text += ']';
}

void AppendJsonText(std::string_view value, std::string& text) {
  const bool plain = std::all_of(value.begin(), value.end(), [](char c) {
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
  });
  if (!plain) {
    text += nlohmann::json(value).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    return;
  }
  text += '"';
  text += value;
  text += '"';
}

}  // namespace

void AppendNumber(double value, std::string& text) {
  if (!std::isfinite(value)) {
    text += "null";
    return;
  }
  char digits[32];
  const double size = std::abs(value);
  const bool fixed = size == 0 || (size >= 1e-4 && size < 1e15);
  char* const end = std::to_chars(digits, digits + sizeof digits, value,
                                  fixed ? std::chars_format::fixed : std::chars_format::scientific)
                        .ptr;
  text.append(digits, end);
  if (fixed && std::find(digits, end, '.') == end) text += ".0";
}

void CsvRow::Next() {
  if (!first_) text_ += ',';
  first_ = false;
}

void CsvRow::Field(std::string_view, std::string_view value) {
  Next();
  if (value.find_first_of(",\"\r\n") == std::string_view::npos) {
    text_ += value;
    return;
  }
  text_ += '"';
  for (const char c : value) {
    text_ += c;
    if (c == '"') text_ += '"';
  }
  text_ += '"';
}
void CsvRow::Field(std::string_view, double value) {
  Next();
  AppendNumber(value, text_);
}
void CsvRow::Field(std::string_view, int64_t value) {
  Next();
  AppendInteger(value, text_);
}
void CsvRow::Field(std::string_view, bool value) {
  Next();
  text_ += value ? "true" : "false";
}
void CsvRow::Field(std::string_view, const std::optional<double>& value) {
  Next();
  if (value) AppendNumber(*value, text_);
}
void CsvRow::Field(std::string_view, const LayerList& values) {
  Next();
  if (values.empty()) return;
  const char* quote = values.size() > 1 ? "\"" : "";  // for the commas
  text_ += quote;
  AppendLayers(values, text_);
  text_ += quote;
}

void CsvRow::End() {
  text_ += "\r\n";
  first_ = true;
}

void JsonRow::Next(std::string_view key) {
  text_ += first_ ? "{\"" : ",\"";
  first_ = false;
  text_ += key;
  text_ += "\":";
}

void JsonRow::Field(std::string_view key, std::string_view value) {
  Next(key);
  AppendJsonText(value, text_);
}
void JsonRow::Field(std::string_view key, double value) {
  Next(key);
  AppendNumber(value, text_);
}
void JsonRow::Field(std::string_view key, int64_t value) {
  Next(key);
  AppendInteger(value, text_);
}
void JsonRow::Field(std::string_view key, bool value) {
  Next(key);
  text_ += value ? "true" : "false";
}
void JsonRow::Field(std::string_view key, const std::optional<double>& value) {
  Next(key);
  if (value) {
    AppendNumber(*value, text_);
  } else {
    text_ += "null";
  }
}
void JsonRow::Field(std::string_view key, const LayerList& values) {
  Next(key);
  if (values.empty()) {
    text_ += "null";
  } else {
    AppendLayers(values, text_);
  }
}

void JsonRow::End() {
  text_ += "}\n";
  first_ = true;
}

}  // namespace kvscope::cli
