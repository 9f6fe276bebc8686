// Added tokens, found in text before anything else sees it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "services/inference/tokenizer/regex.h"

namespace kvscope::inference {

struct AddedToken {
  int32_t id = 0;
  std::string content;
  bool single_word = false;  // matches only where no word character touches it
  bool lstrip = false;       // swallows white space before / after it
  bool rstrip = false;
  bool normalized = false;  // looked for in the normalized text rather than in the input
  bool special = false;
};

// A stretch of text that is an added token (id >= 0) or is not (-1).
struct AddedTokenSplit {
  int32_t id = -1;
  ByteRange range;
};

// Finds added tokens: leftmost first, the longest of those that start there, not overlapping.
class AddedTokenMatcher {
 public:
  // `content`: what to look for, where it is not the token's own content (normalized tokens).
  void Add(const AddedToken& token, std::string_view content);

  // Cuts valid UTF-8 `text` into tokens and the stretches between them (never empty).
  // O(text · longest token) at worst.
  std::vector<AddedTokenSplit> Split(std::string_view text) const;

 private:
  struct Rules {
    int32_t id;
    bool single_word, lstrip, rstrip;
  };
  struct Match {
    const Rules* rules = nullptr;
    size_t end = 0;
  };
  Match LongestAt(std::string_view text, size_t pos) const;

  // A byte trie: child of node n over byte b is edges_[n << 8 | b]; node 0 is the root.
  absl::flat_hash_map<uint64_t, uint32_t> edges_;
  absl::flat_hash_map<uint32_t, Rules> ends_;
  std::array<bool, 256> starts_{};  // bytes a token can start with
  uint32_t node_count_ = 1;
};

}  // namespace kvscope::inference
