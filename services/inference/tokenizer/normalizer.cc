#include "services/inference/tokenizer/normalizer.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cassert>

#include "services/inference/tokenizer/unicode.h"

namespace kvscope::inference {
namespace {

constexpr char32_t kFirstMark = 0x300;  // below it nothing combines with what stands before
constexpr size_t kMaxDecomposed = 32;   // the longest decomposition (NFKD of U+FDFA) has 18

utf8proc_option_t OptionsFor(NormalizerStep::Kind kind) {
  const bool compose = kind == NormalizerStep::kNfc || kind == NormalizerStep::kNfkc;
  const bool compatible = kind == NormalizerStep::kNfkc || kind == NormalizerStep::kNfkd;
  int options = UTF8PROC_STABLE | (compose ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE);
  if (compatible) options |= UTF8PROC_COMPAT;
  return static_cast<utf8proc_option_t>(options);
}

int CombiningClass(utf8proc_int32_t c) { return utf8proc_get_property(c)->combining_class; }

// Whether `c` can be the second half of a canonical composition.
bool CombinesBackwards(utf8proc_int32_t c) {
  const bool is_hangul_vowel_or_tail = (c >= 0x1161 && c <= 0x1175) || (c >= 0x11A8 && c <= 0x11C2);
  const uint16_t index = utf8proc_get_property(c)->comb_index;
  return is_hangul_vowel_or_tail || (index >= 0x8000 && index != 0xFFFF);
}

std::vector<utf8proc_int32_t> Decompose(std::string_view text, utf8proc_option_t options) {
  std::vector<utf8proc_int32_t> out;
  std::array<utf8proc_int32_t, kMaxDecomposed> buffer;
  for (size_t pos = 0; pos < text.size();) {
    const CodePoint c = CodePointAt(text, pos);
    int bound_class = 0;
    const utf8proc_ssize_t count =
        utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c.value), buffer.data(),
                                buffer.size(), options, &bound_class);
    assert(count > 0 && static_cast<size_t>(count) <= buffer.size());
    out.insert(out.end(), buffer.begin(), buffer.begin() + count);
    pos += c.size_bytes;
  }
  return out;
}

// Whether nothing before `c` can change it or be changed by it: a rewritten run may end before it.
bool StartsRun(char32_t c, utf8proc_option_t options) {
  if (c < kFirstMark) return true;
  std::string text;
  if (utf8proc_get_property(c)->decomp_seqindex == UINT16_MAX) {
    return CombiningClass(c) == 0 && !CombinesBackwards(c);
  }
  AppendUtf8(c, &text);
  const utf8proc_int32_t first = Decompose(text, options).front();
  return CombiningClass(first) == 0 && !CombinesBackwards(first);
}

std::string NormalizeRun(std::string_view run, utf8proc_option_t options) {
  std::vector<utf8proc_int32_t> chars = Decompose(run, options);
  for (auto begin = chars.begin(); begin != chars.end();) {  // canonical ordering
    const auto end =
        std::find_if(begin, chars.end(), [](utf8proc_int32_t c) { return CombiningClass(c) == 0; });
    std::stable_sort(begin, end, [](utf8proc_int32_t a, utf8proc_int32_t b) {
      return CombiningClass(a) < CombiningClass(b);
    });
    begin = end == chars.end() ? end : end + 1;
  }
  const utf8proc_ssize_t count = utf8proc_normalize_utf32(chars.data(), chars.size(), options);
  assert(count >= 0);
  std::string out;
  for (utf8proc_ssize_t i = 0; i < count; ++i) AppendUtf8(chars[i], &out);
  return out;
}

class Rewriter {
 public:
  Rewriter(const Piece& in, RewriteArena* arena) : in_(in), out_(arena->emplace_back()) {}

  void Keep(size_t begin, size_t end) {
    out_.text += in_.text.substr(begin, end - begin);
    for (size_t i = begin; i < end; ++i) out_.origin.push_back(in_.Origin(i, i + 1));
  }
  // Writes `text` for in[begin, end); an insertion (begin == end) belongs to no input byte.
  void Put(std::string_view text, size_t begin, size_t end) {
    ByteRange range;
    if (begin < end) {
      range = in_.Origin(begin, end);
    } else if (begin < in_.text.size()) {
      range.begin = range.end = in_.Origin(begin, begin + 1).begin;
    }
    out_.text += text;
    out_.origin.insert(out_.origin.end(), text.size(), range);
  }
  Piece Finish() const { return out_.View(); }

 private:
  const Piece in_;
  Rewritten& out_;
};

// NFC leaves text below U+0300 alone; the other forms leave ASCII alone.
bool IsSurelyNormal(std::string_view text, NormalizerStep::Kind kind) {
  const uint8_t bound = kind == NormalizerStep::kNfc ? 0xCC : 0x80;  // 0xCC leads U+0300
  return std::all_of(text.begin(), text.end(),
                     [bound](char c) { return static_cast<uint8_t>(c) < bound; });
}

Piece NormalizeForm(NormalizerStep::Kind kind, Piece piece, RewriteArena* arena) {
  if (IsSurelyNormal(piece.text, kind)) return piece;
  const utf8proc_option_t options = OptionsFor(kind);
  Rewriter rewriter(piece, arena);
  const std::string_view text = piece.text;
  for (size_t begin = 0; begin < text.size();) {
    size_t end = begin + CodePointAt(text, begin).size_bytes;
    while (end < text.size()) {
      const CodePoint c = CodePointAt(text, end);
      if (StartsRun(c.value, options)) break;
      end += c.size_bytes;
    }
    const std::string_view run = text.substr(begin, end - begin);
    if (IsSurelyNormal(run, kind)) {
      rewriter.Keep(begin, end);
    } else {
      const std::string normal = NormalizeRun(run, options);
      if (normal == run) {
        rewriter.Keep(begin, end);
      } else {
        rewriter.Put(normal, begin, end);
      }
    }
    begin = end;
  }
  return rewriter.Finish();
}

Piece Prepend(const std::string& content, Piece piece, RewriteArena* arena) {
  if (piece.text.empty()) return piece;
  Rewriter rewriter(piece, arena);
  rewriter.Put(content, 0, 0);
  rewriter.Keep(0, piece.text.size());
  return rewriter.Finish();
}

Piece Replace(const NormalizerStep& step, Piece piece, RewriteArena* arena) {
  size_t found = piece.text.find(step.pattern);
  if (found == std::string_view::npos) return piece;
  Rewriter rewriter(piece, arena);
  size_t pos = 0;
  for (; found != std::string_view::npos; found = piece.text.find(step.pattern, pos)) {
    rewriter.Keep(pos, found);
    pos = found + step.pattern.size();
    rewriter.Put(step.content, found, pos);
  }
  rewriter.Keep(pos, piece.text.size());
  return rewriter.Finish();
}

}  // namespace

Piece Normalize(const std::vector<NormalizerStep>& steps, Piece piece, RewriteArena* arena) {
  for (const NormalizerStep& step : steps) {
    switch (step.kind) {
      case NormalizerStep::kPrepend:
        piece = Prepend(step.content, piece, arena);
        break;
      case NormalizerStep::kReplace:
        piece = Replace(step, piece, arena);
        break;
      default:
        piece = NormalizeForm(step.kind, piece, arena);
    }
  }
  return piece;
}

}  // namespace kvscope::inference
