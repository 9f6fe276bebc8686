#include "services/metrics/outcome/outcome.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <string>

#include "services/metrics/outcome/normalize.h"

namespace kvscope::metrics {
namespace {

constexpr std::array<std::string_view, 4> kDontKnow = {"i dont know", "i do not know", "dont know",
                                                       "do not know"};
constexpr std::array<std::string_view, 5> kUnknown = {"unknown", "its unknown", "it is unknown",
                                                      "the answer is unknown", "idk"};

// Normalised and without the apostrophes of "don't", typewriter's or typographer's.
std::string Words(std::string_view text) {
  std::string words = NormalizeAnswer(text);
  for (const std::string_view apostrophe : {"'", "\u2019", "\u2018", "\u02BC", "\u00B4", "`"}) {
    for (size_t at; (at = words.find(apostrophe)) != std::string::npos;) {
      words.erase(at, apostrophe.size());
    }
  }
  return words;
}

bool IsWordCharacter(utf8proc_int32_t code_point) {
  const utf8proc_category_t category = utf8proc_category(code_point);
  return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NO;  // L*, M*, N*
}

bool BeginsWithPhrase(std::string_view words, std::string_view phrase) {
  if (!words.starts_with(phrase)) return false;
  const std::string_view rest = words.substr(phrase.size());
  utf8proc_int32_t next = 0;
  utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(rest.data()),
                   static_cast<utf8proc_ssize_t>(rest.size()), &next);
  return rest.empty() || !IsWordCharacter(next);
}

}  // namespace

std::string_view OutcomeName(Outcome outcome) {
  switch (outcome) {
    case Outcome::kCorrect:
      return "correct";
    case Outcome::kPartial:
      return "partial";
    case Outcome::kHallucination:
      return "hallucination";
    case Outcome::kUnknown:
      return "unknown";
  }
  return "";
}

bool IsAbstention(std::string_view answer) {
  const std::string words = Words(answer);
  return std::find(kUnknown.begin(), kUnknown.end(), words) != kUnknown.end() ||
         std::any_of(kDontKnow.begin(), kDontKnow.end(),
                     [&words](std::string_view phrase) { return BeginsWithPhrase(words, phrase); });
}

bool IsAbstentionGold(std::string_view gold) {
  return std::find(kDontKnow.begin(), kDontKnow.end(), Words(gold)) != kDontKnow.end();
}

Outcome Classify(double f1, std::string_view answer, std::string_view gold,
                 const OutcomeThresholds& thresholds) {
  if (IsAbstentionGold(gold)) {
    return IsAbstention(answer) ? Outcome::kCorrect : Outcome::kHallucination;
  }
  if (f1 >= thresholds.correct_f1) return Outcome::kCorrect;
  if (f1 > thresholds.partial_above_f1) return Outcome::kPartial;
  return IsAbstention(answer) ? Outcome::kUnknown : Outcome::kHallucination;
}

}  // namespace kvscope::metrics
