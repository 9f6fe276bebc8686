#include "services/inference/tokenizer/byte_level.h"

#include <array>

#include "services/inference/tokenizer/unicode.h"

namespace kvscope::inference {
namespace {

constexpr char32_t kLastChar = 0x143;  // 68 bytes are not printable: U+0100 ... U+0143

struct Alphabet {
  std::array<std::string, 256> chars;
  std::array<int16_t, kLastChar + 1> bytes;  // -1: not in the alphabet
};

bool IsPlain(int byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

const Alphabet& GetAlphabet() {
  static const Alphabet& alphabet = *[] {
    auto* made = new Alphabet;
    made->bytes.fill(-1);
    char32_t next = 0x100;
    for (int byte = 0; byte < 256; ++byte) {
      const char32_t c = IsPlain(byte) ? static_cast<char32_t>(byte) : next++;
      AppendUtf8(c, &made->chars[byte]);
      made->bytes[c] = static_cast<int16_t>(byte);
    }
    return made;
  }();
  return alphabet;
}

}  // namespace

std::string_view ByteLevelChar(uint8_t byte) { return GetAlphabet().chars[byte]; }

std::string ToByteLevel(std::string_view bytes) {
  std::string out;
  out.reserve(2 * bytes.size());
  for (const char c : bytes) out += GetAlphabet().chars[static_cast<uint8_t>(c)];
  return out;
}

void AppendFromByteLevel(std::string_view token, std::string* out) {
  const size_t before = out->size();
  for (size_t pos = 0; pos < token.size();) {
    const CodePoint c = CodePointAt(token, pos);
    const int byte = c.value <= kLastChar ? GetAlphabet().bytes[c.value] : -1;
    if (byte < 0) {
      out->resize(before);
      *out += token;
      return;
    }
    out->push_back(static_cast<char>(byte));
    pos += c.size_bytes;
  }
}

}  // namespace kvscope::inference
