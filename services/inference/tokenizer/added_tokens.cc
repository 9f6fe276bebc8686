#include "services/inference/tokenizer/added_tokens.h"

#include <algorithm>

#include "services/inference/tokenizer/unicode.h"

namespace kvscope::inference {
namespace {

bool TouchesWord(std::string_view text, size_t begin, size_t end) {
  return (begin > 0 && IsWordChar(CodePointBefore(text, begin).value)) ||
         (end < text.size() && IsWordChar(CodePointAt(text, end).value));
}

size_t SkipSpacesBackward(std::string_view text, size_t pos) {
  while (pos > 0) {
    const CodePoint c = CodePointBefore(text, pos);
    if (!IsWhiteSpace(c.value)) break;
    pos -= c.size_bytes;
  }
  return pos;
}

size_t SkipSpacesForward(std::string_view text, size_t pos) {
  while (pos < text.size()) {
    const CodePoint c = CodePointAt(text, pos);
    if (!IsWhiteSpace(c.value)) break;
    pos += c.size_bytes;
  }
  return pos;
}

}  // namespace

void AddedTokenMatcher::Add(const AddedToken& token, std::string_view content) {
  if (content.empty()) return;
  starts_[static_cast<uint8_t>(content[0])] = true;
  uint32_t node = 0;
  for (const char c : content) {
    const uint64_t edge = static_cast<uint64_t>(node) << 8 | static_cast<uint8_t>(c);
    const auto [it, inserted] = edges_.try_emplace(edge, node_count_);
    if (inserted) ++node_count_;
    node = it->second;
  }
  ends_.try_emplace(node, Rules{token.id, token.single_word, token.lstrip, token.rstrip});
}

AddedTokenMatcher::Match AddedTokenMatcher::LongestAt(std::string_view text, size_t pos) const {
  Match longest;
  uint32_t node = 0;
  for (; pos < text.size(); ++pos) {
    const auto edge =
        edges_.find(static_cast<uint64_t>(node) << 8 | static_cast<uint8_t>(text[pos]));
    if (edge == edges_.end()) break;
    node = edge->second;
    if (const auto end = ends_.find(node); end != ends_.end()) longest = {&end->second, pos + 1};
  }
  return longest;
}

std::vector<AddedTokenSplit> AddedTokenMatcher::Split(std::string_view text) const {
  std::vector<AddedTokenSplit> splits;
  size_t done = 0;  // everything before it has been handed out
  for (size_t pos = 0; pos < text.size();) {
    if (!starts_[static_cast<uint8_t>(text[pos])]) {
      ++pos;
      continue;
    }
    const Match match = LongestAt(text, pos);
    if (match.rules == nullptr) {
      ++pos;
      continue;
    }
    size_t begin = pos, end = match.end;
    pos = match.end;
    if (match.rules->single_word && TouchesWord(text, begin, end)) continue;
    if (match.rules->lstrip) begin = std::max(SkipSpacesBackward(text, begin), done);
    if (match.rules->rstrip) end = SkipSpacesForward(text, end);
    if (done < begin) splits.push_back({-1, {done, begin}});
    splits.push_back({match.rules->id, {begin, end}});
    done = end;
  }
  if (done < text.size()) splits.push_back({-1, {done, text.size()}});
  return splits;
}

}  // namespace kvscope::inference
