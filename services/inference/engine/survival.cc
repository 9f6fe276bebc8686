#include "services/inference/engine/survival.h"

#include <utf8proc.h>

#include <algorithm>

#include "services/inference/tokenizer/unicode.h"

namespace kvscope::inference {
namespace {

// One character of a normalised text and the code points of the original that it stands for.
struct FoldedChar {
  char32_t value;
  CharRange source;
};

// `base`: code points before `text`.
std::vector<FoldedChar> Fold(std::string_view text, int32_t base) {
  std::vector<FoldedChar> folded;
  folded.reserve(text.size());
  int32_t index = base;
  for (size_t pos = 0; pos < text.size(); ++index) {
    const CodePoint c = CodePointAt(text, pos);
    pos += c.size_bytes;
    if (!IsWhiteSpace(c.value)) {
      const auto lower = static_cast<char32_t>(utf8proc_tolower(static_cast<int32_t>(c.value)));
      folded.push_back({lower, {index, index + 1}});
    } else if (!folded.empty() && folded.back().value == U' ') {
      folded.back().source.end = index + 1;
    } else {
      folded.push_back({U' ', {index, index + 1}});
    }
  }
  return folded;
}

std::vector<FoldedChar> FoldAnswer(std::string_view answer) {
  std::vector<FoldedChar> folded = Fold(answer, 0);
  if (!folded.empty() && folded.back().value == U' ') folded.pop_back();
  if (!folded.empty() && folded.front().value == U' ') folded.erase(folded.begin());
  return folded;
}

// For each prefix of `pattern` the length of its longest border (Knuth, Morris, Pratt).
std::vector<size_t> Borders(const std::vector<FoldedChar>& pattern) {
  std::vector<size_t> borders(pattern.size(), 0);
  for (size_t i = 1, k = 0; i < pattern.size(); ++i) {
    while (k > 0 && pattern[i].value != pattern[k].value) k = borders[k - 1];
    if (pattern[i].value == pattern[k].value) ++k;
    borders[i] = k;
  }
  return borders;
}

}  // namespace

std::vector<CharRange> FindAnswer(const ContextText& context, std::string_view answer) {
  std::vector<CharRange> found;
  const std::vector<FoldedChar> pattern = FoldAnswer(answer);
  if (pattern.empty()) return found;
  const std::string_view text = context.text;
  const auto before = static_cast<int32_t>(CountCodePoints(text.substr(0, context.passage_begin)));
  const std::vector<FoldedChar> passage =
      Fold(text.substr(context.passage_begin, context.passage_end - context.passage_begin), before);

  const std::vector<size_t> borders = Borders(pattern);
  size_t matched = 0;
  for (size_t i = 0; i < passage.size(); ++i) {
    while (matched > 0 && passage[i].value != pattern[matched].value)
      matched = borders[matched - 1];
    if (passage[i].value == pattern[matched].value) ++matched;
    if (matched < pattern.size()) continue;
    found.push_back({passage[i + 1 - matched].source.begin, passage[i].source.end});
    matched = borders[matched - 1];
  }
  return found;
}

std::vector<CharRange> AnswerSpans(const ContextText& context, std::string_view answer,
                                   std::span<const CharRange> evidence) {
  std::vector<CharRange> spans = FindAnswer(context, answer);
  if (!spans.empty()) return spans;
  const std::string_view text = context.text;
  const auto before = static_cast<int32_t>(CountCodePoints(text.substr(0, context.passage_begin)));
  for (const CharRange& span : evidence) {
    spans.push_back({before + span.begin, before + span.end});
  }
  std::sort(spans.begin(), spans.end(),
            [](const CharRange& a, const CharRange& b) { return a.begin < b.begin; });
  return spans;
}

std::vector<int32_t> TokensOverlapping(std::span<const CharRange> offsets,
                                       std::span<const CharRange> spans) {
  std::vector<int32_t> tokens;
  size_t first = 0;  // the first span that does not end before the token
  for (size_t t = 0; t < offsets.size(); ++t) {
    while (first < spans.size() && spans[first].end <= offsets[t].begin) ++first;
    if (first == spans.size()) break;
    if (spans[first].begin < offsets[t].end && offsets[t].begin < offsets[t].end) {
      tokens.push_back(static_cast<int32_t>(t));
    }
  }
  return tokens;
}

std::vector<uint64_t> TokenBits(std::span<const int32_t> tokens, int words) {
  std::vector<uint64_t> bits(static_cast<size_t>(words), 0);
  for (const int32_t t : tokens) bits[static_cast<size_t>(t) / 64] |= uint64_t{1} << (t % 64);
  return bits;
}

}  // namespace kvscope::inference
