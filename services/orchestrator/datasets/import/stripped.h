// A text without white space at its ends.
#pragma once

#include <string_view>

namespace kvscope::orchestrator {

inline constexpr std::string_view kBlanks = " \t\r\n\v\f";

inline std::string_view Stripped(std::string_view text) {
  const size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

}  // namespace kvscope::orchestrator
