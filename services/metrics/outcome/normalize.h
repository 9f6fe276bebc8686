// One spelling for answers that differ only in case, spacing or the punctuation around them.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace kvscope::metrics {

// In this order:
//   1. UTF-8; each byte that is not part of a valid character becomes U+FFFD;
//   2. Unicode full case folding, then composition (NFC);
//   3. every run of white space and control characters becomes one space;
//   4. spaces and punctuation are taken off both ends: Unicode's brackets and quotation marks
//      (Ps, Pe, Pi, Pf) and any of  . , ; : ! ? ' " ` * _ and the fullwidth or inverted forms
//      of the first six.  Signs that carry meaning stay: "-5", "90%", "c#", "$20".
std::string NormalizeAnswer(std::string_view text);

// True if the normalised `answer` equals the normalised `gold` or a normalised alias.  An answer
// that normalises to nothing matches only a gold that does too.
bool ExactMatch(std::string_view answer, std::string_view gold,
                std::span<const std::string> aliases);

}  // namespace kvscope::metrics
