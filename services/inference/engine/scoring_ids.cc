#include "services/inference/engine/scoring_ids.h"

#include <string>

#include "services/inference/tokenizer/unicode.h"

namespace kvscope::inference {

std::string_view Stripped(std::string_view text) {
  while (!text.empty()) {
    const CodePoint c = CodePointAt(text, 0);
    if (!IsWhiteSpace(c.value)) break;
    text.remove_prefix(c.size_bytes);
  }
  while (!text.empty()) {
    const CodePoint c = CodePointBefore(text, text.size());
    if (!IsWhiteSpace(c.value)) break;
    text.remove_suffix(c.size_bytes);
  }
  return text;
}

std::vector<int32_t> ScoringIds(const Tokenizer& tokenizer, std::string_view text) {
  const std::string valid = ToValidUtf8(text);
  return tokenizer.Encode(Stripped(valid), /*add_special_tokens=*/false);
}

}  // namespace kvscope::inference
