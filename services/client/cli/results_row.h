// One row of results as text, without building a document: a sweep may have millions of them.
//
// A row is told to a sink field by field: HeaderRow takes the keys, CsvRow and JsonRow the values.
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
  template <typename Value>
  void Field(std::string_view key, const Value&) {
    if (!text_.empty()) text_ += ',';
    text_ += key;
  }
  std::string Take() { return text_ + "\r\n"; }

 private:
  std::string text_;
};

class CsvRow {  // RFC 4180
 public:
  void Field(std::string_view key, std::string_view value);
  void Field(std::string_view key, double value);
  void Field(std::string_view key, int64_t value);
  void Field(std::string_view key, bool value);
  void Field(std::string_view key, const std::optional<double>& value);
  void Field(std::string_view key, const LayerList& values);
  // The row with its line's end, valid until the next one is begun by the next Field.
  std::string_view Take();

 private:
  void Next();
  std::string text_;
  bool taken_ = true;
};

class JsonRow {  // JSON lines; bytes that are no UTF-8 become U+FFFD
 public:
  void Field(std::string_view key, std::string_view value);
  void Field(std::string_view key, double value);
  void Field(std::string_view key, int64_t value);
  void Field(std::string_view key, bool value);
  void Field(std::string_view key, const std::optional<double>& value);
  void Field(std::string_view key, const LayerList& values);
  std::string_view Take();  // as CsvRow's

 private:
  void Next(std::string_view key);
  std::string text_;
  bool taken_ = true;
};

}  // namespace kvscope::cli
