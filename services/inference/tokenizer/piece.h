// Text on its way to tokens, with the way back to the input.
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "services/inference/tokenizer/regex.h"

namespace kvscope::inference {

// A stretch of the input, perhaps rewritten by a normalizer. `origin`, where present, holds for
// every byte of `text` the input bytes it stands for; without it, byte i of `text` is input byte
// `base + i`.
struct Piece {
  std::string_view text;
  size_t base = 0;
  const ByteRange* origin = nullptr;

  Piece Sub(size_t begin, size_t end) const {
    return {text.substr(begin, end - begin), base + begin, origin ? origin + begin : nullptr};
  }
  // The input bytes that text[begin, end) stands for; begin < end.
  ByteRange Origin(size_t begin, size_t end) const {
    if (origin == nullptr) return {base + begin, base + end};
    return {origin[begin].begin, origin[end - 1].end};
  }
};

// Owner of the text that pieces of one call were rewritten to.
struct Rewritten {
  std::string text;
  std::vector<ByteRange> origin;

  Piece View() const { return {text, 0, origin.data()}; }
};
using RewriteArena = std::deque<Rewritten>;  // a deque: addresses stay

}  // namespace kvscope::inference
