// A compiled regular expression of a tokenizer.json, matched by PCRE2 (UTF, UCP, JIT).
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace kvscope::inference {

// [begin, end) in bytes.
struct ByteRange {
  size_t begin = 0;
  size_t end = 0;
  bool operator==(const ByteRange&) const = default;
};

class Regex {
 public:
  // `pattern` as the `tokenizers` library's engine (Oniguruma) reads it: `\s` and `\S` are
  // rewritten to the White_Space property, which PCRE2's own differ from in U+180E. Errors:
  // InvalidArgument with PCRE2's message and the place in the pattern.
  static absl::StatusOr<Regex> Compile(std::string_view pattern);

  // The matches in `text` (valid UTF-8), left to right, not overlapping; empty matches are left
  // out. Where the engine gives up on a hostile pattern (backtracking or stack limit), the search
  // ends there, so the rest of `text` counts as unmatched. Thread-safe.
  std::vector<ByteRange> FindAll(std::string_view text) const;

 private:
  struct Code;
  explicit Regex(std::shared_ptr<const Code> code) : code_(std::move(code)) {}

  std::shared_ptr<const Code> code_;
};

}  // namespace kvscope::inference
