#include "services/orchestrator/datasets/answer_finder.h"

#include <utf8proc.h>

#include <utility>

#include "services/orchestrator/datasets/grounding.h"
#include "services/orchestrator/sweep/utf8.h"

namespace kvscope::orchestrator {
namespace {

// Whether the code point that begins at `byte` is a letter, a mark or a digit.
bool IsWord(std::string_view text, size_t byte) {
  utf8proc_int32_t code_point = 0;
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  const auto left = static_cast<utf8proc_ssize_t>(text.size() - byte);
  if (utf8proc_iterate(bytes + byte, left, &code_point) <= 0) return false;
  const auto category = utf8proc_category(code_point);
  return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NO;
}

bool Continues(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

}  // namespace

AnswerFinder::AnswerFinder(std::string_view context)
    : normalized_(NormalizeText(context, &sources_)),
      length_(static_cast<int64_t>(CountCodePoints(context))) {}

bool AnswerFinder::IsWordAt(size_t byte) const {
  return byte < normalized_.size() && IsWord(normalized_, byte);
}

bool AnswerFinder::IsWordBefore(size_t byte) const {
  if (byte == 0) return false;
  do --byte;
  while (byte > 0 && Continues(normalized_[byte]));
  return IsWord(normalized_, byte);
}

AnswerFinder::Places AnswerFinder::Look(std::string_view answer, size_t most) const {
  const std::string wanted = NormalizeText(answer);
  Places places;
  if (wanted.empty()) return places;
  const bool starts_in_word = IsWord(wanted, 0);
  size_t last = wanted.size() - 1;
  while (last > 0 && Continues(wanted[last])) --last;
  const bool ends_in_word = IsWord(wanted, last);
  size_t at = normalized_.find(wanted);
  while (at != std::string::npos && places.words.size() < most) {
    const size_t end = at + wanted.size();
    const Evidence span{sources_[at], int64_t{sources_[end - 1]} + 1};
    const bool own = !(starts_in_word && IsWordBefore(at)) && !(ends_in_word && IsWordAt(end));
    if (own) places.words.push_back(span);
    if (places.anywhere.size() < most) places.anywhere.push_back(span);
    at = normalized_.find(wanted, end);
  }
  return places;
}

std::vector<Evidence> AnswerFinder::Find(std::string_view answer, size_t most) const {
  Places places = Look(answer, most);
  return places.words.empty() ? std::move(places.anywhere) : std::move(places.words);
}

std::vector<Evidence> AnswerFinder::FindWords(std::string_view answer, size_t most) const {
  return Look(answer, most).words;
}

}  // namespace kvscope::orchestrator
