// GPT-2's byte alphabet: byte-level vocabularies write every byte as one printable character.
// Printable Latin-1 bytes stand for themselves; the others are U+0100, U+0101, ... in byte order.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace kvscope::inference {

// The UTF-8 of the character that stands for `byte`.
std::string_view ByteLevelChar(uint8_t byte);

// `bytes`, each written as its character.
std::string ToByteLevel(std::string_view bytes);

// Appends the bytes a vocabulary entry stands for: its characters' bytes, or, if any character is
// outside the alphabet (as in added tokens with a space), the entry itself, as `tokenizers` does.
// `token` must be valid UTF-8.
void AppendFromByteLevel(std::string_view token, std::string* out);

}  // namespace kvscope::inference
