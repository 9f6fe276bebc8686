// The `normalizer` of a tokenizer.json: NFC, NFD, NFKC, NFKD, Prepend, Replace, and sequences of
// them.
#pragma once

#include <string>
#include <vector>

#include "services/inference/tokenizer/piece.h"

namespace kvscope::inference {

struct NormalizerStep {
  enum Kind { kNfc, kNfd, kNfkc, kNfkd, kPrepend, kReplace };
  Kind kind = kNfc;
  std::string pattern;  // kReplace: the literal text to replace; not empty
  std::string content;  // kPrepend, kReplace
};

// `piece` after all steps. Text that no step changes is not copied; what is rewritten lives in
// `arena`. The origin of a composed or reordered character is the whole run of characters it came
// from. Linear in the text, except for sorting runs of combining marks (n log n).
Piece Normalize(const std::vector<NormalizerStep>& steps, Piece piece, RewriteArena* arena);

}  // namespace kvscope::inference
