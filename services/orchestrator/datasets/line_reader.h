// The lines of a text file, one at a time, in bounded memory.
#pragma once

#include <cstdint>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace kvscope::orchestrator {

// The longest line that is read whole: a passage of a few million tokens.
inline constexpr size_t kMaxLineBytes = 16 << 20;

struct Line {
  std::string_view text;  // without its newline; valid until the next call
  int64_t number = 0;     // from 1
  bool whole = true;      // false: longer than kMaxLineBytes; `text` is its beginning
};

// Memory: one line of at most kMaxLineBytes and a read-ahead.  A leading byte-order mark is
// skipped.
class LineReader {
 public:
  // Errors: NotFound if the file cannot be opened.
  static absl::StatusOr<LineReader> Open(const std::string& path);

  // The next line; nothing at the end.  Errors: DataLoss if reading fails.
  absl::StatusOr<std::optional<Line>> Next();

 private:
  explicit LineReader(std::string path);

  // Reads more behind the buffer, dropping what was used.  False: there was nothing more.
  absl::StatusOr<bool> Fill();
  // Passes over the rest of a line that was too long.  False: the file ends with it.
  absl::StatusOr<bool> FinishLongLine();

  std::string path_;
  std::ifstream file_;
  std::string buffer_;  // read but not yet used, from begin_
  size_t begin_ = 0;
  int64_t line_ = 0;
  bool in_long_line_ = false;
};

}  // namespace kvscope::orchestrator
