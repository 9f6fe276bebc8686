// One row of results as text, without building a document: a sweep may have millions of them.
//
// A row is told to a sink field by field, then ended: HeaderRow takes the keys, CsvRow and JsonRow
// the values. Sinks append to a text, row after row, which is the caller's to write and clear.
// Undefined values are empty in CSV and null in JSON; per-layer lists are JSON lists, with null
// for NaN.
#pragma once

#include <google/protobuf/repeated_field.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kvscope::cli {

// [layers], NaN where undefined; empty: undefined as a whole.
using LayerList = google::protobuf::RepeatedField<double>;

// Appends the shortest text that reads back as `value`; "null" if it is not finite. A whole number
// keeps a fraction (`1.0`), so that readers see a float.
void AppendNumber(double value, std::string& text);

class HeaderRow {
 public:
  explicit HeaderRow(std::string& text) : text_(text) {}
  template <typename Value>
  void Field(std::string_view key, const Value&) {
    if (!first_) text_ += ',';
    first_ = false;
    text_ += key;
  }
  void End() { text_ += "\r\n"; }

 private:
  std::string& text_;
  bool first_ = true;
};

class CsvRow {  // RFC 4180
 public:
  explicit CsvRow(std::string& text) : text_(text) {}
  void Field(std::string_view key, std::string_view value);
  void Field(std::string_view key, double value);
  void Field(std::string_view key, int64_t value);
  void Field(std::string_view key, bool value);
  void Field(std::string_view key, const std::optional<double>& value);
  void Field(std::string_view key, const LayerList& values);
  void End();

 private:
  void Next();
  std::string& text_;
  bool first_ = true;
};

class JsonRow {  // JSON lines; bytes that are no UTF-8 become U+FFFD
 public:
  explicit JsonRow(std::string& text) : text_(text) {}
  void Field(std::string_view key, std::string_view value);
  void Field(std::string_view key, double value);
  void Field(std::string_view key, int64_t value);
  void Field(std::string_view key, bool value);
  void Field(std::string_view key, const std::optional<double>& value);
  void Field(std::string_view key, const LayerList& values);
  void End();

 private:
  void Next(std::string_view key);
  std::string& text_;
  bool first_ = true;
};

}  // namespace kvscope::cli
