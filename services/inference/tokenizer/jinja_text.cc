// How values become text: str(), repr() and JSON.
#include <utf8proc.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "services/inference/tokenizer/jinja_value.h"
#include "services/inference/tokenizer/unicode.h"

namespace kvscope::inference::jinja {
namespace {

// Python's str.isprintable() for one character.
bool IsPrintable(char32_t c) {
  if (c == ' ') return true;
  const utf8proc_category_t category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
  return category != UTF8PROC_CATEGORY_CN &&
         (category < UTF8PROC_CATEGORY_ZS || category > UTF8PROC_CATEGORY_CO);
}

std::string StringRepr(std::string_view text) {
  const bool use_double =
      text.find('\'') != std::string_view::npos && text.find('"') == std::string_view::npos;
  const char quote = use_double ? '"' : '\'';
  std::string out(1, quote);
  for (size_t pos = 0; pos < text.size();) {
    const CodePoint c = CodePointAt(text, pos);
    const std::string_view bytes = text.substr(pos, c.size_bytes);
    pos += c.size_bytes;
    if (c.value == '\n') {
      out += "\\n";
    } else if (c.value == '\r') {
      out += "\\r";
    } else if (c.value == '\t') {
      out += "\\t";
    } else if (c.value == '\\' || c.value == static_cast<char32_t>(quote)) {
      out.append("\\").append(bytes);
    } else if (IsPrintable(c.value)) {
      out += bytes;
    } else if (c.value < 0x100) {
      absl::StrAppendFormat(&out, "\\x%02x", static_cast<uint32_t>(c.value));
    } else if (c.value < 0x10000) {
      absl::StrAppendFormat(&out, "\\u%04x", static_cast<uint32_t>(c.value));
    } else {
      absl::StrAppendFormat(&out, "\\U%08x", static_cast<uint32_t>(c.value));
    }
  }
  return out += quote;
}

template <typename Range, typename Write>
std::string Join(const Range& items, std::string_view open, std::string_view close, Write write) {
  std::string out(open);
  bool first = true;
  for (const auto& item : items) {
    if (!first) out += ", ";
    first = false;
    out += write(item);
  }
  return out.append(close);
}

class JsonWriter {
 public:
  explicit JsonWriter(const JsonStyle& style) : style_(style) {}

  bool Write(const Value& value) {
    if (value.is_none()) return Put("null");
    if (value.is_bool()) return Put(value.integer() ? "true" : "false");
    if (value.is_integer()) return Put(std::to_string(value.integer()));
    if (value.is_float()) return Put(FloatJson(value.number()));
    if (value.string()) return Quote(*value.string());
    if (value.list()) {
      return Container(value.list()->items, '[', ']',
                       [&](const Value& item) { return Write(item); });
    }
    if (!value.dict()) return false;
    std::vector<std::pair<std::string, Value>> items = value.dict()->items;
    if (style_.sort_keys) {
      std::sort(items.begin(), items.end(),
                [](const auto& a, const auto& b) { return a.first < b.first; });
    }
    return Container(items, '{', '}', [&](const auto& item) {
      return Quote(item.first) && Put(style_.key_separator) && Write(item.second);
    });
  }

  std::string Take() { return std::move(out_); }

 private:
  bool Put(std::string_view text) {
    out_ += text;
    return true;
  }

  static std::string FloatJson(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
    return FloatRepr(value);
  }

  void NewLine() {
    if (!style_.indent) return;
    out_ += '\n';
    for (int i = 0; i < level_; ++i) out_ += *style_.indent;
  }

  template <typename Range, typename WriteItem>
  bool Container(const Range& items, char open, char close, WriteItem write_item) {
    out_ += open;
    ++level_;
    bool first = true;
    for (const auto& item : items) {
      if (!first) out_ += style_.item_separator;
      first = false;
      NewLine();
      if (!write_item(item)) return false;
    }
    --level_;
    if (!first) NewLine();
    out_ += close;
    return true;
  }

  void Escape(char32_t c) {
    if (c >= 0x10000) {
      c -= 0x10000;
      absl::StrAppendFormat(&out_, "\\u%04x\\u%04x", static_cast<uint32_t>(0xD800 + (c >> 10)),
                            static_cast<uint32_t>(0xDC00 + (c & 0x3FF)));
    } else {
      absl::StrAppendFormat(&out_, "\\u%04x", static_cast<uint32_t>(c));
    }
  }

  bool Quote(std::string_view text) {
    out_ += '"';
    for (size_t pos = 0; pos < text.size();) {
      const CodePoint c = CodePointAt(text, pos);
      const size_t known = std::string_view("\"\\\n\r\t\b\f").find(static_cast<char>(c.value));
      if (c.value < 0x80 && known != std::string_view::npos) {
        out_ += '\\';
        out_ += "\"\\nrtbf"[known];
      } else if (c.value < 0x20 || (style_.ensure_ascii && c.value >= 0x80)) {
        Escape(c.value);
      } else {
        out_ += text.substr(pos, c.size_bytes);
      }
      pos += c.size_bytes;
    }
    out_ += '"';
    return true;
  }

  const JsonStyle& style_;
  std::string out_;
  int level_ = 0;
};

}  // namespace

std::string FloatRepr(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char buffer[400];
  // Python writes 1e16 and 0.00001 with an exponent, what lies between without.
  const double magnitude = std::fabs(value);
  const bool plain = magnitude == 0 || (magnitude >= 1e-4 && magnitude < 1e16);
  const auto result =
      std::to_chars(buffer, buffer + sizeof(buffer), value,
                    plain ? std::chars_format::fixed : std::chars_format::scientific);
  std::string text(buffer, result.ptr);
  if (plain && text.find('.') == std::string::npos) text += ".0";
  return text;
}

std::string Repr(const Value& value) {
  if (value.string()) return StringRepr(*value.string());
  if (const ListData* list = value.list()) {
    if (!list->is_tuple) return Join(list->items, "[", "]", Repr);
    return Join(list->items, "(", list->items.size() == 1 ? ",)" : ")", Repr);
  }
  if (const DictData* dict = value.dict()) {
    return Join(dict->items, "{", "}", [](const auto& item) {
      return absl::StrCat(StringRepr(item.first), ": ", Repr(item.second));
    });
  }
  if (value.is_undefined()) return "Undefined";
  return Str(value);
}

std::string Str(const Value& value) {
  if (value.string()) return *value.string();
  if (value.is_undefined()) return "";
  if (value.is_none()) return "None";
  if (value.is_bool()) return value.integer() ? "True" : "False";
  if (value.is_integer()) return std::to_string(value.integer());
  if (value.is_float()) return FloatRepr(value.number());
  if (value.name_space()) return "<Namespace>";
  if (value.function()) return absl::StrCat("<function ", value.function()->name, ">");
  return Repr(value);
}

std::optional<std::string> ToJson(const Value& value, const JsonStyle& style) {
  JsonWriter writer(style);
  if (!writer.Write(value)) return std::nullopt;
  return writer.Take();
}

}  // namespace kvscope::inference::jinja
