#include "services/orchestrator/datasets/line_reader.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/status_macros.h"

namespace kvscope::orchestrator {
namespace {

constexpr size_t kChunkBytes = 64 << 10;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

}  // namespace

LineReader::LineReader(std::string path) : path_(std::move(path)), file_(path_, std::ios::binary) {}

absl::StatusOr<LineReader> LineReader::Open(const std::string& path) {
  LineReader reader(path);
  std::error_code error;
  if (!reader.file_ || std::filesystem::is_directory(path, error)) {
    return absl::NotFoundError(absl::StrCat(path, ": no data set can be read there"));
  }
  return reader;
}

absl::StatusOr<bool> LineReader::Fill() {
  if (file_.eof()) return false;
  buffer_.erase(0, begin_);
  begin_ = 0;
  const size_t used = buffer_.size();
  buffer_.resize(used + kChunkBytes);
  file_.read(buffer_.data() + used, kChunkBytes);
  buffer_.resize(used + static_cast<size_t>(file_.gcount()));
  if (!file_ && !file_.eof()) {
    return absl::DataLossError(absl::StrCat(path_, ": reading failed after line ", line_));
  }
  return buffer_.size() > used;
}

absl::StatusOr<bool> LineReader::FinishLongLine() {
  while (true) {
    const size_t end = buffer_.find('\n', begin_);
    begin_ = std::min(end, buffer_.size() - 1) + 1;
    if (end != std::string::npos) return true;
    KVSCOPE_ASSIGN_OR_RETURN(const bool more, Fill());
    if (!more) return false;
  }
}

absl::StatusOr<std::optional<Line>> LineReader::Next() {
  if (in_long_line_) {
    KVSCOPE_ASSIGN_OR_RETURN(const bool more, FinishLongLine());
    if (!more) return std::nullopt;
    in_long_line_ = false;
  }
  size_t searched = 0;  // of this line, without a newline
  while (true) {
    const size_t end = buffer_.find('\n', begin_ + searched);
    const size_t length = std::min(end, buffer_.size()) - begin_;
    in_long_line_ = length > kMaxLineBytes;
    if (end == std::string::npos && !in_long_line_) {
      searched = length;
      KVSCOPE_ASSIGN_OR_RETURN(const bool more, Fill());
      if (more) continue;
      if (length == 0) return std::nullopt;
    }
    const size_t taken = std::min(length, kMaxLineBytes);
    Line line{std::string_view(buffer_).substr(begin_, taken), ++line_, !in_long_line_};
    begin_ += taken + (end != std::string::npos && !in_long_line_ ? 1 : 0);
    if (line_ == 1 && line.text.starts_with(kByteOrderMark)) {
      line.text.remove_prefix(kByteOrderMark.size());
    }
    return line;
  }
}

}  // namespace kvscope::orchestrator
