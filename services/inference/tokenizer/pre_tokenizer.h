// The `pre_tokenizer` of a tokenizer.json: how text is cut into the words that BPE sees.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "services/inference/tokenizer/piece.h"
#include "services/inference/tokenizer/regex.h"

namespace kvscope::inference {

struct PreTokenizerStep {
  enum Kind { kSplit, kDigits, kPrefixSpace };
  enum Behavior { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };
  Kind kind = kSplit;
  std::optional<Regex> regex;  // kSplit: the separators; without it, `literal`
  std::string literal;
  Behavior behavior = kIsolated;  // kSplit, kDigits: what becomes of the separators
  bool invert = false;            // kSplit: the matches are the words, the rest separates
};

// Cuts `pieces` by all steps, in order. Empty pieces are dropped.
std::vector<Piece> PreTokenize(const std::vector<PreTokenizerStep>& steps,
                               std::vector<Piece> pieces, RewriteArena* arena);

}  // namespace kvscope::inference
