#include "services/orchestrator/datasets/grounding.h"

#include <utf8proc.h>

#include <algorithm>

#include "services/orchestrator/datasets/passage.h"

namespace kvscope::orchestrator {
namespace {

bool IsSpace(utf8proc_int32_t code_point) {
  if (code_point < 0x80) return code_point == ' ' || (code_point >= '\t' && code_point <= '\r');
  const auto category = utf8proc_category(code_point);
  return code_point == 0x85 || category == UTF8PROC_CATEGORY_ZS ||
         category == UTF8PROC_CATEGORY_ZL || category == UTF8PROC_CATEGORY_ZP;
}

utf8proc_int32_t ToLower(utf8proc_int32_t code_point) {
  if (code_point >= 0x80) return utf8proc_tolower(code_point);
  return code_point >= 'A' && code_point <= 'Z' ? code_point - 'A' + 'a' : code_point;
}

void Encode(utf8proc_int32_t code_point, std::string* text) {
  if (code_point < 0x80) {
    text->push_back(static_cast<char>(code_point));
    return;
  }
  utf8proc_uint8_t encoded[4];
  const auto length = utf8proc_encode_char(code_point, encoded);
  text->append(reinterpret_cast<const char*>(encoded), static_cast<size_t>(length));
}

// Calls `visit` with each code point; bytes that are no UTF-8 are passed over.
template <typename Visit>
void ForEachCodePoint(std::string_view text, Visit visit) {
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  for (size_t i = 0; i < text.size();) {
    if (bytes[i] < 0x80) {
      visit(static_cast<utf8proc_int32_t>(bytes[i++]));
      continue;
    }
    utf8proc_int32_t code_point = 0;
    const auto length =
        utf8proc_iterate(bytes + i, static_cast<utf8proc_ssize_t>(text.size() - i), &code_point);
    if (length > 0) visit(code_point);
    i += static_cast<size_t>(std::max<utf8proc_ssize_t>(length, 1));
  }
}

// Calls `append` with every code point of the normal form and the index of the one of `text` that
// it stands for.
template <typename Append>
void Normalize(std::string_view text, Append append) {
  bool space = false;
  bool empty = true;
  uint32_t index = 0;
  ForEachCodePoint(text, [&](utf8proc_int32_t code_point) {
    const uint32_t here = index++;
    if (IsSpace(code_point)) {
      space = true;
      return;
    }
    if (space && !empty) append(' ', here - 1);
    space = false;
    empty = false;
    append(ToLower(code_point), here);
  });
}

}  // namespace

std::string NormalizeText(std::string_view text) {
  std::string normalized;
  normalized.reserve(text.size());
  Normalize(text, [&](utf8proc_int32_t code_point, uint32_t) { Encode(code_point, &normalized); });
  return normalized;
}

std::string NormalizeText(std::string_view text, std::vector<uint32_t>* sources) {
  std::string normalized;
  normalized.reserve(text.size());
  sources->clear();
  sources->reserve(text.size());
  Normalize(text, [&](utf8proc_int32_t code_point, uint32_t source) {
    Encode(code_point, &normalized);
    sources->resize(normalized.size(), source);
  });
  return normalized;
}

bool Occurs(std::string_view answer, const std::string& normalized_context) {
  return normalized_context.find(NormalizeText(answer)) != std::string::npos;
}

bool Abstains(std::string_view answer) {
  return NormalizeText(answer) == NormalizeText(kUnknownAnswer);
}

int CountWords(std::string_view text) {
  int words = 0;
  bool inside = false;
  ForEachCodePoint(text, [&](utf8proc_int32_t code_point) {
    const bool space = IsSpace(code_point);
    words += !space && !inside;
    inside = !space;
  });
  return words;
}

}  // namespace kvscope::orchestrator
