#include "services/metrics/outcome/normalize.h"

#include <utf8proc.h>

#include <algorithm>
#include <memory>
#include <vector>

namespace kvscope::metrics {
namespace {

constexpr utf8proc_int32_t kReplacement = 0xFFFD;

void AppendUtf8(utf8proc_int32_t code_point, std::string& out) {
  utf8proc_uint8_t bytes[4];
  const utf8proc_ssize_t count = utf8proc_encode_char(code_point, bytes);
  out.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(count));
}

std::vector<utf8proc_int32_t> Decode(std::string_view text) {
  std::vector<utf8proc_int32_t> code_points;
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  for (size_t at = 0; at < text.size();) {
    utf8proc_int32_t code_point;
    const utf8proc_ssize_t taken =
        utf8proc_iterate(bytes + at, static_cast<utf8proc_ssize_t>(text.size() - at), &code_point);
    code_points.push_back(taken > 0 ? code_point : kReplacement);
    at += taken > 0 ? static_cast<size_t>(taken) : 1;
  }
  return code_points;
}

// Valid UTF-8, case-folded and composed.
std::string Fold(std::string_view text) {
  std::string valid;
  for (const utf8proc_int32_t code_point : Decode(text)) AppendUtf8(code_point, valid);
  utf8proc_uint8_t* folded = nullptr;
  const utf8proc_ssize_t size = utf8proc_map(
      reinterpret_cast<const utf8proc_uint8_t*>(valid.data()),
      static_cast<utf8proc_ssize_t>(valid.size()), &folded,
      static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_CASEFOLD));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&free)> owner(folded, &free);
  if (size < 0) return valid;  // out of memory is the only error left
  return std::string(reinterpret_cast<const char*>(folded), static_cast<size_t>(size));
}

bool IsSpace(utf8proc_int32_t code_point) {
  switch (utf8proc_category(code_point)) {
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_CC:
      return true;
    default:
      return false;
  }
}

bool IsOuterPunctuation(utf8proc_int32_t code_point) {
  switch (utf8proc_category(code_point)) {
    case UTF8PROC_CATEGORY_PS:
    case UTF8PROC_CATEGORY_PE:
    case UTF8PROC_CATEGORY_PI:
    case UTF8PROC_CATEGORY_PF:
      return true;
    default:
      break;
  }
  static constexpr std::u32string_view kMarks =
      U".,;:!?'\"`*_"
      U"\u2026\u00A1\u00BF"                                 // ellipsis, inverted ! and ?
      U"\u3001\u3002\uFF0C\uFF0E\uFF1B\uFF1A\uFF01\uFF1F";  // ideographic and fullwidth forms
  return kMarks.find(static_cast<char32_t>(code_point)) != std::u32string_view::npos;
}

}  // namespace

std::string NormalizeAnswer(std::string_view text) {
  const std::vector<utf8proc_int32_t> folded = Decode(Fold(text));
  const auto outer = [](utf8proc_int32_t c) { return IsSpace(c) || IsOuterPunctuation(c); };
  const auto begin = std::find_if_not(folded.begin(), folded.end(), outer);
  const auto end = std::find_if_not(folded.rbegin(), std::make_reverse_iterator(begin), outer);

  std::string normalized;
  bool after_space = false;
  for (auto at = begin; at != end.base(); ++at) {
    const bool space = IsSpace(*at);
    if (!space) AppendUtf8(*at, normalized);
    if (space && !after_space) normalized += ' ';
    after_space = space;
  }
  return normalized;
}

bool ExactMatch(std::string_view answer, std::string_view gold,
                std::span<const std::string> aliases) {
  const std::string normalized = NormalizeAnswer(answer);
  if (normalized == NormalizeAnswer(gold)) return true;
  return std::any_of(aliases.begin(), aliases.end(), [&normalized](const std::string& alias) {
    return normalized == NormalizeAnswer(alias);
  });
}

}  // namespace kvscope::metrics
