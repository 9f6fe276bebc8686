// Token-level F1 between an answer and what it should have been.
// Source: arXiv:2603.01426, set-up: F1 over the ids of one tokenizer (there Llama 3's). The ids are
// those of the texts as they are: case, punctuation and articles count, only white space around a
// text does not, and no special tokens are added (inference/engine/scoring_ids.h). Where spelling
// shall not count, there is `exact` and there are aliases.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace kvscope::metrics {

// F1 of the multisets of token ids, in [0, 1]: 2 p r / (p + r) with p and r the shared ids over the
// ids of `answer` and of `gold`.  Both empty: 1.  One empty or nothing shared: 0.
double TokenF1(std::span<const int32_t> answer, std::span<const int32_t> gold);

// The best F1 over `gold` and every alias.
double BestTokenF1(std::span<const int32_t> answer, std::span<const int32_t> gold,
                   std::span<const std::vector<int32_t>> aliases);

}  // namespace kvscope::metrics
