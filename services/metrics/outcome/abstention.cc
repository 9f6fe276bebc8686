#include "services/metrics/outcome/abstention.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <utility>

#include "services/metrics/outcome/normalize.h"

namespace kvscope::metrics {
namespace {

// These stand as gold answers, too.
constexpr std::string_view kDontKnow[] = {"i do not know", "do not know"};

// Written as Words leaves them.
constexpr std::string_view kKnown[] = {
    // the speaker
    "i am not sure", "i am unsure", "i am not certain", "i am unable to", "i am not able to",
    "i have no idea", "i have no information", "i cannot answer", "i cannot determine",
    "i cannot find", "i cannot tell", "i cannot say", "i could not find", "not sure", "unsure",
    "no idea", "idk",
    // the answer
    "unknown", "unanswerable", "undetermined", "unclear", "unspecified", "unstated",
    "it is unknown", "it is unclear", "it is not known", "it is not clear", "it is not mentioned",
    "it is not specified", "it is not stated", "it is not given", "it is not provided",
    "it is not possible to", "it is impossible to", "the answer is unknown", "the answer is not",
    "the answer cannot be", "this is unknown", "this is not mentioned", "not known",
    "not mentioned", "not specified", "not stated", "not given", "not provided", "not available",
    "not applicable", "not enough information", "not answerable", "n/a", "cannot answer",
    "cannot determine", "cannot be determined", "cannot be answered", "cannot be inferred",
    "cannot be known", "cannot tell", "could not be determined", "it cannot be", "no answer",
    "no information", "no mention", "there is no answer", "there is no information",
    "there is no mention", "insufficient information", "none given", "none mentioned",
    // the passage
    "the text does not", "the passage does not", "the context does not", "the article does not",
    "the document does not", "it does not say", "it does not mention", "does not say",
    "does not mention"};

// Words that are written out, as they are without their apostrophes. "cant" and "its" may be other
// words; as long as both sides of a comparison are treated alike that decides nothing.
constexpr std::pair<std::string_view, std::string_view> kWrittenOut[] = {
    {"dont", "do not"},       {"doesnt", "does not"},   {"didnt", "did not"}, {"isnt", "is not"},
    {"cant", "cannot"},       {"couldnt", "could not"}, {"im", "i am"},       {"its", "it is"},
    {"dunno", "do not know"}, {"theres", "there is"}};

void EraseAll(std::string_view part, std::string& text) {
  for (size_t at; (at = text.find(part)) != std::string::npos;) text.erase(at, part.size());
}

void ReplaceWord(std::string_view word, std::string_view with, std::string& text) {
  const auto is_end = [&](size_t at) { return at == text.size() || text[at] == ' '; };
  for (size_t at = 0; (at = text.find(word, at)) != std::string::npos;) {
    const bool whole = (at == 0 || text[at - 1] == ' ') && is_end(at + word.size());
    if (whole) text.replace(at, word.size(), with);
    at += whole ? with.size() : 1;
  }
}

// Normalised, without the apostrophes of "don't" (typewriter's or typographer's), written out.
std::string Words(std::string_view text) {
  std::string words = NormalizeAnswer(text);
  for (const std::string_view apostrophe : {"'", "\u2019", "\u2018", "\u02BC", "\u00B4", "`"}) {
    EraseAll(apostrophe, words);
  }
  for (const auto& [word, with] : kWrittenOut) ReplaceWord(word, with, words);
  ReplaceWord("can not", "cannot", words);
  return words;
}

bool IsWordCharacter(utf8proc_int32_t code_point) {
  const utf8proc_category_t category = utf8proc_category(code_point);
  return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NO;  // L*, M*, N*
}

bool Finds(std::string_view phrase, std::string_view words) {
  if (!words.starts_with(phrase)) return false;
  const std::string_view rest = words.substr(phrase.size());
  if (rest.empty()) return true;
  if (phrase.find(' ') == std::string_view::npos) return false;
  utf8proc_int32_t next = 0;
  utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(rest.data()),
                   static_cast<utf8proc_ssize_t>(rest.size()), &next);
  return !IsWordCharacter(next);
}

template <typename Phrases>
bool AnyFinds(const Phrases& phrases, std::string_view words) {
  return std::any_of(std::begin(phrases), std::end(phrases),
                     [&](std::string_view phrase) { return Finds(phrase, words); });
}

template <typename Phrases>
bool AnyIs(const Phrases& phrases, std::string_view words) {
  return std::find(std::begin(phrases), std::end(phrases), words) != std::end(phrases);
}

}  // namespace

Abstentions::Abstentions(std::span<const std::string> more) {
  for (const std::string& phrase : more) {
    if (IsPhrase(phrase)) more_.push_back(Words(phrase));
  }
}

bool Abstentions::IsPhrase(std::string_view text) {
  const std::string words = Words(text);  // valid UTF-8
  for (size_t at = 0; at < words.size();) {
    utf8proc_int32_t code_point = 0;
    const utf8proc_ssize_t size =
        utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(words.data()) + at,
                         static_cast<utf8proc_ssize_t>(words.size() - at), &code_point);
    if (size <= 0) return false;
    const utf8proc_category_t category = utf8proc_category(code_point);
    const bool letter = category == UTF8PROC_CATEGORY_LU || category == UTF8PROC_CATEGORY_LL ||
                        category == UTF8PROC_CATEGORY_LT || category == UTF8PROC_CATEGORY_LO;
    if (letter || (category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO)) {
      return true;
    }
    at += static_cast<size_t>(size);
  }
  return false;
}

bool Abstentions::Contain(std::string_view answer) const {
  const std::string words = Words(answer);
  return AnyFinds(kDontKnow, words) || AnyFinds(kKnown, words) || AnyFinds(more_, words);
}

bool Abstentions::ContainGold(std::string_view gold) const {
  const std::string words = Words(gold);
  return AnyIs(kDontKnow, words) || AnyIs(more_, words);
}

}  // namespace kvscope::metrics
