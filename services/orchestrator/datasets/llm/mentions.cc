#include "services/orchestrator/datasets/llm/mentions.h"

#include "absl/strings/ascii.h"
#include "services/orchestrator/datasets/grounding.h"
#include "services/orchestrator/sweep/utf8.h"

namespace kvscope::orchestrator::llm {
namespace {

bool Continues(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// Whether a word goes on at byte `i`: a letter or digit.  Beyond ASCII everything is a letter but
// general punctuation (U+2000..U+206F: dashes, curly quotes), whose first bytes are E2 80 or E2 81.
bool InWord(std::string_view text, size_t i) {
  while (i > 0 && Continues(text[i])) --i;
  const unsigned char lead = static_cast<unsigned char>(text[i]);
  if (lead < 0x80) return absl::ascii_isalnum(lead);
  const bool punctuation =
      lead == 0xE2 && i + 1 < text.size() && (text[i + 1] == '\x80' || text[i + 1] == '\x81');
  return !punctuation;
}

// Whether a word is cut in two between the bytes i - 1 and i.
bool CutsWord(std::string_view text, size_t i) {
  return i > 0 && i < text.size() && InWord(text, i - 1) && InWord(text, i);
}

}  // namespace

MentionIndex::MentionIndex(std::string_view passage)
    : text_(NormalizeText(passage, &at_)),
      length_(static_cast<int64_t>(CountCodePoints(passage))) {}

std::vector<Evidence> MentionIndex::Find(std::string_view text) const {
  const std::string wanted = NormalizeText(text);
  std::vector<Evidence> found;
  if (wanted.empty()) return found;
  size_t begin = text_.find(wanted);
  while (begin != std::string::npos) {
    const size_t end = begin + wanted.size();
    const bool whole = !CutsWord(text_, begin) && !CutsWord(text_, end);
    if (whole) found.push_back({int64_t{at_[begin]}, int64_t{at_[end - 1]} + 1});
    begin = text_.find(wanted, whole ? end : begin + 1);
  }
  return found;
}

}  // namespace kvscope::orchestrator::llm
