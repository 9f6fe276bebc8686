// Texts put together from pieces.  (This system's absl::string_view is not std's: StrCat would
// copy every piece.)
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

namespace kvscope::orchestrator::paper {

// The pieces, one after the other.
inline std::string Joined(std::initializer_list<std::string_view> pieces) {
  std::string text;
  for (const std::string_view piece : pieces) text += piece;
  return text;
}

// `text` with every `slot` replaced by `value`.
inline std::string WithSlot(std::string_view text, std::string_view slot, std::string_view value) {
  std::string filled;
  for (size_t at = text.find(slot); at != std::string_view::npos; at = text.find(slot)) {
    filled += text.substr(0, at);
    filled += value;
    text.remove_prefix(at + slot.size());
  }
  return filled += text;
}

inline bool Contains(std::string_view text, std::string_view piece) {
  return text.find(piece) != std::string_view::npos;
}

}  // namespace kvscope::orchestrator::paper
