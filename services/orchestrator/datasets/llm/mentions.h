// Where a text stands in a passage: whole words, without regard to case and spacing.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "services/orchestrator/datasets/passage.h"

namespace kvscope::orchestrator::llm {

class MentionIndex {
 public:
  explicit MentionIndex(std::string_view passage);  // well-formed UTF-8

  // Every occurrence of `text`, in order; none of a blank one.  "art" does not stand in "party",
  // nor "12" in "1912".
  std::vector<Evidence> Find(std::string_view text) const;
  bool Holds(std::string_view text) const { return !Find(text).empty(); }

  int64_t length() const { return length_; }  // code points

 private:
  std::vector<uint32_t> at_;  // the code point behind each byte of text_, which fills it
  std::string text_;          // as NormalizeText has it
  int64_t length_ = 0;
};

}  // namespace kvscope::orchestrator::llm
