// Where the gold answer stands in the context: the tokens whose survival decides its GER.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "services/inference/engine/prompt.h"
#include "services/inference/tokenizer/tokenizer.h"

namespace kvscope::inference {

// All occurrences (characters of the text) of `answer` in the passage part of `context`, in order,
// overlapping ones too. Compared are lower-case letters (Unicode's one-to-one mapping), each run of
// white space as one space, the answer without white space around it; a match may begin and end
// inside a word. An answer of white space only occurs nowhere. Instruction, listed questions and
// chat template are not searched. Both texts must be valid UTF-8. O(context + answer).
std::vector<CharRange> FindAnswer(const ContextText& context, std::string_view answer);

// The characters that make up the gold answer (the paper's T_ans), by begin: every occurrence of
// `answer`; where there is none, `evidence` ([begin, end) in code points of the passage, each
// within it): a gold answer that is gathered from several places ("A and B") or changed stands
// where its evidence does. Empty: it stands nowhere.
std::vector<CharRange> AnswerSpans(const ContextText& context, std::string_view answer,
                                   std::span<const CharRange> evidence);

// The tokens, ascending, that share a character with any of `spans` (sorted by begin).
// `offsets`: what of the context text each token stands for, ascending.
std::vector<int32_t> TokensOverlapping(std::span<const CharRange> offsets,
                                       std::span<const CharRange> spans);

// `tokens` as bits, `words` words of 64 (bit t % 64 of word t / 64).
std::vector<uint64_t> TokenBits(std::span<const int32_t> tokens, int words);

}  // namespace kvscope::inference
