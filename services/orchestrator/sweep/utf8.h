// UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace kvscope::orchestrator {

// Where the first byte that is not part of a well-formed sequence stands; nothing if all is well.
std::optional<size_t> InvalidUtf8At(std::string_view text);

// The number of code points of well-formed UTF-8.
size_t CountCodePoints(std::string_view text);

// The bytes of code points [start, end) of well-formed UTF-8; the range is cut to the text's.
std::string_view CodePointSlice(std::string_view text, size_t start, size_t end);

// Whether a letter or a number is in it (Unicode's Lu, Ll, Lt, Lo and N); bytes that are no UTF-8
// count as none.
bool HasLetterOrDigit(std::string_view text);

// Foreign bytes made fit for an error message: at most `max_bytes` of `text`, in double quotes,
// control and non-ASCII bytes as \xNN, `...` where it was cut.
std::string Quoted(std::string_view text, size_t max_bytes = 60);

}  // namespace kvscope::orchestrator
