// UTF-8 and the few character properties the tokenizer and the chat templates ask for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace kvscope::inference {

// One decoded character: its code point and its length in bytes.
struct CodePoint {
  char32_t value = 0;
  size_t size_bytes = 0;
};

// The character that starts at text[pos]; `text` must be valid UTF-8 and pos < text.size().
CodePoint CodePointAt(std::string_view text, size_t pos);

// The character that ends before text[end]; `text` must be valid UTF-8 and 0 < end.
CodePoint CodePointBefore(std::string_view text, size_t end);

// Appends the UTF-8 of `value`, which must be a Unicode scalar value.
void AppendUtf8(char32_t value, std::string* out);

bool IsValidUtf8(std::string_view text);

// `text` with every maximal invalid part replaced by one U+FFFD, as Rust's from_utf8_lossy and
// the Unicode standard (section 3.9, "substitution of maximal subparts") do it.
std::string ToValidUtf8(std::string_view text);

// Number of code points; `text` must be valid UTF-8.
size_t CountCodePoints(std::string_view text);

bool IsAscii(std::string_view text);

// Property White_Space (what \s means to the `tokenizers` library).
bool IsWhiteSpace(char32_t c);

// What Rust's \w matches: Alphabetic, Mark, Decimal_Number, Connector_Punctuation, Join_Control.
bool IsWordChar(char32_t c);

}  // namespace kvscope::inference
