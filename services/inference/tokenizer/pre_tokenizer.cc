#include "services/inference/tokenizer/pre_tokenizer.h"

#include <utf8proc.h>

#include <algorithm>

#include "services/inference/tokenizer/unicode.h"

namespace kvscope::inference {
namespace {

struct Cut {
  ByteRange range;
  bool is_match = false;
};

bool IsNumeric(char32_t c) {
  const utf8proc_category_t category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
  return category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO;
}

std::vector<ByteRange> FindLiteral(std::string_view text, std::string_view literal) {
  std::vector<ByteRange> found;
  if (literal.empty()) return found;
  for (size_t at = text.find(literal); at != std::string_view::npos;) {
    found.push_back({at, at + literal.size()});
    at = text.find(literal, at + literal.size());
  }
  return found;
}

std::vector<ByteRange> FindDigits(std::string_view text) {
  std::vector<ByteRange> found;
  for (size_t pos = 0; pos < text.size();) {
    const CodePoint c = CodePointAt(text, pos);
    if (IsNumeric(c.value)) found.push_back({pos, pos + c.size_bytes});
    pos += c.size_bytes;
  }
  return found;
}

std::vector<ByteRange> FindSeparators(const PreTokenizerStep& step, std::string_view text) {
  if (step.kind == PreTokenizerStep::kDigits) return FindDigits(text);
  return step.regex ? step.regex->FindAll(text) : FindLiteral(text, step.literal);
}

// The matches and what lies between them, in order, covering the whole text.
std::vector<Cut> Cover(const std::vector<ByteRange>& matches, size_t size, bool invert) {
  std::vector<Cut> cuts;
  cuts.reserve(2 * matches.size() + 1);
  size_t pos = 0;
  for (const ByteRange& match : matches) {
    if (pos < match.begin) cuts.push_back({{pos, match.begin}, invert});
    cuts.push_back({match, !invert});
    pos = match.end;
  }
  if (pos < size) cuts.push_back({{pos, size}, invert});
  return cuts;
}

// Joins every match that follows a non-match to it (in the vector's order).
template <typename Join>
std::vector<Cut> MergeIntoPrevious(const std::vector<Cut>& cuts, Join join) {
  std::vector<Cut> merged;
  bool previous_match = false;
  for (const Cut& cut : cuts) {
    if (cut.is_match && !previous_match && !merged.empty()) {
      join(&merged.back().range, cut.range);
    } else {
      merged.push_back(cut);
    }
    previous_match = cut.is_match;
  }
  return merged;
}

std::vector<Cut> Arrange(std::vector<Cut> cuts, PreTokenizerStep::Behavior behavior) {
  switch (behavior) {
    case PreTokenizerStep::kIsolated:
      return cuts;
    case PreTokenizerStep::kRemoved:
      std::erase_if(cuts, [](const Cut& cut) { return cut.is_match; });
      return cuts;
    case PreTokenizerStep::kMergedWithPrevious:
      return MergeIntoPrevious(
          cuts, [](ByteRange* into, const ByteRange& range) { into->end = range.end; });
    case PreTokenizerStep::kMergedWithNext: {
      std::reverse(cuts.begin(), cuts.end());
      cuts = MergeIntoPrevious(
          cuts, [](ByteRange* into, const ByteRange& range) { into->begin = range.begin; });
      std::reverse(cuts.begin(), cuts.end());
      return cuts;
    }
    case PreTokenizerStep::kContiguous: {
      std::vector<Cut> runs;
      for (const Cut& cut : cuts) {
        if (!runs.empty() && runs.back().is_match == cut.is_match) {
          runs.back().range.end = cut.range.end;
        } else {
          runs.push_back(cut);
        }
      }
      return runs;
    }
  }
  return cuts;
}

Piece WithPrefixSpace(const Piece& piece, RewriteArena* arena) {
  if (piece.text.starts_with(' ')) return piece;
  Rewritten& out = arena->emplace_back();
  out.text.assign(1, ' ').append(piece.text);
  out.origin.reserve(out.text.size());
  const size_t start = piece.Origin(0, 1).begin;
  out.origin.push_back({start, start});
  for (size_t i = 0; i < piece.text.size(); ++i) out.origin.push_back(piece.Origin(i, i + 1));
  return out.View();
}

}  // namespace

std::vector<Piece> PreTokenize(const std::vector<PreTokenizerStep>& steps,
                               std::vector<Piece> pieces, RewriteArena* arena) {
  std::erase_if(pieces, [](const Piece& piece) { return piece.text.empty(); });
  for (const PreTokenizerStep& step : steps) {
    std::vector<Piece> next;
    for (const Piece& piece : pieces) {
      if (step.kind == PreTokenizerStep::kPrefixSpace) {
        next.push_back(WithPrefixSpace(piece, arena));
        continue;
      }
      const std::vector<ByteRange> separators = FindSeparators(step, piece.text);
      for (const Cut& cut :
           Arrange(Cover(separators, piece.text.size(), step.invert), step.behavior)) {
        next.push_back(piece.Sub(cut.range.begin, cut.range.end));
      }
    }
    pieces = std::move(next);
  }
  return pieces;
}

}  // namespace kvscope::inference
