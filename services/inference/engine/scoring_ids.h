// A text as the token ids that its F1 is counted over.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "services/inference/tokenizer/tokenizer.h"

namespace kvscope::inference {

// `text` (valid UTF-8) without the white space (Unicode's White_Space) around it.
std::string_view Stripped(std::string_view text);

// The ids of Stripped(text), without special tokens: the same for an answer, its gold and its
// aliases. Nothing else is normalised (as in the paper, whose F1 is over Llama 3's tokens): a word
// that begins the text has another id than after a space, and case and punctuation count. Bytes
// that are no UTF-8 count as U+FFFD.
std::vector<int32_t> ScoringIds(const Tokenizer& tokenizer, std::string_view text);

}  // namespace kvscope::inference
