// Finds where an answer stands in its context, as scoring sees it: case and spacing do not count.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "services/orchestrator/datasets/passage.h"

namespace kvscope::orchestrator {

// A context that answers are looked up in; it keeps about five times the context's bytes.
class AnswerFinder {
 public:
  explicit AnswerFinder(std::string_view context);  // UTF-8

  // The code points of the context where `answer` stands, the first `most` of them, ascending and
  // apart from each other: as words of their own (`Ann` but not `Annex`), or anywhere if it nowhere
  // stands so.  Empty: it does not occur, as NormalizeText sees it.
  std::vector<Evidence> Find(std::string_view answer, size_t most) const;

  // The same, but only as words of their own: nothing where it stands within longer words only.
  std::vector<Evidence> FindWords(std::string_view answer, size_t most = SIZE_MAX) const;
  bool HoldsWords(std::string_view answer) const { return !FindWords(answer, 1).empty(); }

  // Code points of the context.
  int64_t length() const { return length_; }

 private:
  // Both kinds of places, at most `most` of each.
  struct Places {
    std::vector<Evidence> words, anywhere;
  };
  Places Look(std::string_view answer, size_t most) const;

  bool IsWordAt(size_t byte) const;      // of normalized_; false at its end
  bool IsWordBefore(size_t byte) const;  // false at its beginning

  // The code point of the context behind each byte of normalized_, which fills it: it comes first.
  std::vector<uint32_t> sources_;
  std::string normalized_;
  int64_t length_ = 0;
};

}  // namespace kvscope::orchestrator
