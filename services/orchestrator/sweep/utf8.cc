#include "services/orchestrator/sweep/utf8.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdint>

namespace kvscope::orchestrator {
namespace {

bool Continues(unsigned char byte) { return (byte & 0xC0) == 0x80; }

// The length of the well-formed sequence at `i`; 0 if there is none.
size_t SequenceLength(std::string_view text, size_t i) {
  const auto byte = [&](size_t k) { return static_cast<unsigned char>(text[i + k]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  const size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() - i < length) return 0;
  for (size_t k = 1; k < length; ++k) {
    if (!Continues(byte(k))) return 0;
  }
  const unsigned char second = byte(1);
  if (lead == 0xE0 && second < 0xA0) return 0;  // overlong
  if (lead == 0xED && second > 0x9F) return 0;  // surrogate
  if (lead == 0xF0 && second < 0x90) return 0;  // overlong
  if (lead == 0xF4 && second > 0x8F) return 0;  // above U+10FFFF
  return length;
}

}  // namespace

std::optional<size_t> InvalidUtf8At(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const size_t length = SequenceLength(text, i);
    if (length == 0) return i;
    i += length;
  }
  return std::nullopt;
}

size_t CountCodePoints(std::string_view text) {
  return static_cast<size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return !Continues(static_cast<unsigned char>(c)); }));
}

std::string_view CodePointSlice(std::string_view text, size_t start, size_t end) {
  size_t from = text.size();
  size_t to = text.size();
  size_t code_point = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (Continues(static_cast<unsigned char>(text[i]))) continue;
    if (code_point == start) from = i;
    if (code_point == end) {
      to = i;
      break;
    }
    ++code_point;
  }
  return from < to ? text.substr(from, to - from) : std::string_view();
}

bool HasLetterOrDigit(std::string_view text) {
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  for (size_t i = 0; i < text.size();) {
    utf8proc_int32_t code_point = 0;
    const auto size =
        utf8proc_iterate(bytes + i, static_cast<utf8proc_ssize_t>(text.size() - i), &code_point);
    i += static_cast<size_t>(std::max<utf8proc_ssize_t>(size, 1));
    if (size <= 0) continue;
    switch (utf8proc_category(code_point)) {
      case UTF8PROC_CATEGORY_LU:
      case UTF8PROC_CATEGORY_LL:
      case UTF8PROC_CATEGORY_LT:
      case UTF8PROC_CATEGORY_LO:
      case UTF8PROC_CATEGORY_ND:
      case UTF8PROC_CATEGORY_NL:
      case UTF8PROC_CATEGORY_NO:
        return true;
      default:
        break;
    }
  }
  return false;
}

std::string Quoted(std::string_view text, size_t max_bytes) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string quoted = "\"";
  for (const char c : text.substr(0, max_bytes)) {
    const unsigned char byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7F) {
      quoted += c;
    } else {
      quoted += "\\x";
      quoted += kHex[byte >> 4];
      quoted += kHex[byte & 15];
    }
  }
  return quoted + (text.size() > max_bytes ? "\"..." : "\"");
}

}  // namespace kvscope::orchestrator
