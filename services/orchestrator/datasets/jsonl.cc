#include "services/orchestrator/datasets/jsonl.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "services/orchestrator/datasets/passage_json.h"
#include "services/orchestrator/sweep/utf8.h"

namespace kvscope::orchestrator {
namespace {

constexpr size_t kChunkBytes = 64 << 10;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr size_t kMaxDatasetBytes = 100;

// The file's name without folder and extension, fit for an id.
std::string DatasetOf(const std::string& path) {
  std::string name = std::filesystem::path(path).stem().string().substr(0, kMaxDatasetBytes);
  const bool plain = !InvalidUtf8At(name) && std::none_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_iscntrl(static_cast<unsigned char>(c));
  });
  return name.empty() || !plain ? "data" : name;
}

}  // namespace

PassageReader::PassageReader(std::string path, std::shared_ptr<SeenIds> seen)
    : path_(std::move(path)),
      dataset_(DatasetOf(path_)),
      seen_(seen ? std::move(seen) : std::make_shared<SeenIds>()),
      file_(path_, std::ios::binary) {}

absl::StatusOr<PassageReader> PassageReader::Open(const std::string& path,
                                                  std::shared_ptr<SeenIds> seen) {
  PassageReader reader(path, std::move(seen));
  std::error_code error;
  if (!reader.file_ || std::filesystem::is_directory(path, error)) {
    return absl::NotFoundError(absl::StrCat(path, ": no data set can be read there"));
  }
  return reader;
}

absl::StatusOr<bool> PassageReader::NextLine(std::string_view* line) {
  size_t searched = begin_;
  while (true) {
    const size_t end = buffer_.find('\n', searched);
    const size_t length = std::min(end, buffer_.size()) - begin_;
    if (length > kMaxLineBytes) {
      return absl::InvalidArgumentError(absl::StrCat(path_, ":", line_ + 1, ": is longer than ",
                                                     kMaxLineBytes,
                                                     " bytes, the longest line allowed"));
    }
    if (end != std::string::npos || (file_.eof() && length > 0)) {
      *line = std::string_view(buffer_).substr(begin_, length);
      begin_ += length + (end != std::string::npos ? 1 : 0);
      ++line_;
      return true;
    }
    if (file_.eof()) return false;
    buffer_.erase(0, begin_);
    begin_ = 0;
    searched = buffer_.size();
    buffer_.resize(searched + kChunkBytes);
    file_.read(buffer_.data() + searched, kChunkBytes);
    buffer_.resize(searched + static_cast<size_t>(file_.gcount()));
    if (!file_ && !file_.eof()) {
      return absl::DataLossError(absl::StrCat(path_, ": reading failed after line ", line_));
    }
  }
}

absl::StatusOr<std::optional<Passage>> PassageReader::Next() {
  while (true) {
    std::string_view line;
    const absl::StatusOr<bool> more = NextLine(&line);
    if (!more.ok()) return more.status();
    if (!*more && passages_ == 0) {
      return absl::InvalidArgumentError(
          absl::StrCat(path_, ": holds no passage, must hold at least one"));
    }
    if (!*more) return std::nullopt;
    if (line_ == 1 && line.starts_with(kByteOrderMark)) line.remove_prefix(kByteOrderMark.size());
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    absl::StatusOr<Passage> passage =
        ParsePassage(line, {absl::StrCat(path_, ":", line_), dataset_, passages_});
    if (!passage.ok()) return passage.status();
    if (absl::Status status = seen_->Note(*passage, path_, line_); !status.ok()) return status;
    ++passages_;
    return *std::move(passage);
  }
}

PassageWriter::PassageWriter(std::string path)
    : path_(std::move(path)),
      temporary_path_(absl::StrCat(path_, ".partial")),
      file_(temporary_path_, std::ios::binary | std::ios::trunc) {}

absl::StatusOr<PassageWriter> PassageWriter::Create(const std::string& path) {
  PassageWriter writer(path);
  if (!writer.file_) {
    writer.temporary_path_.clear();
    return absl::PermissionDeniedError(absl::StrCat(path, ": cannot be created"));
  }
  return writer;
}

PassageWriter::PassageWriter(PassageWriter&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_path_(std::exchange(other.temporary_path_, {})),
      file_(std::move(other.file_)) {}

PassageWriter::~PassageWriter() {
  if (temporary_path_.empty()) return;
  file_.close();
  std::error_code error;
  std::filesystem::remove(temporary_path_, error);
}

absl::Status PassageWriter::Write(const Passage& passage) {
  file_ << FormatPassage(passage) << '\n';
  if (!file_) return absl::DataLossError(absl::StrCat(path_, ": writing failed"));
  return absl::OkStatus();
}

absl::Status PassageWriter::Close() {
  file_.close();
  std::error_code error;
  if (file_) std::filesystem::rename(temporary_path_, path_, error);
  if (!file_ || error) return absl::DataLossError(absl::StrCat(path_, ": writing failed"));
  temporary_path_.clear();
  return absl::OkStatus();
}

}  // namespace kvscope::orchestrator
