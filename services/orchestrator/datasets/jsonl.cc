#include "services/orchestrator/datasets/jsonl.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "services/orchestrator/datasets/passage_json.h"
#include "services/orchestrator/sweep/utf8.h"
#include "services/status_macros.h"

namespace kvscope::orchestrator {
namespace {

constexpr size_t kMaxDatasetBytes = 100;

}  // namespace

std::string DatasetNameOf(const std::string& path) {
  std::string name = std::filesystem::path(path).stem().string().substr(0, kMaxDatasetBytes);
  const bool plain = !InvalidUtf8At(name) && std::none_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_iscntrl(static_cast<unsigned char>(c));
  });
  return name.empty() || !plain ? "data" : name;
}

PassageReader::PassageReader(std::string path, LineReader lines, std::shared_ptr<SeenIds> seen)
    : path_(std::move(path)),
      dataset_(DatasetNameOf(path_)),
      lines_(std::move(lines)),
      seen_(seen ? std::move(seen) : std::make_shared<SeenIds>()) {}

absl::StatusOr<PassageReader> PassageReader::Open(const std::string& path,
                                                  std::shared_ptr<SeenIds> seen) {
  KVSCOPE_ASSIGN_OR_RETURN(LineReader lines, LineReader::Open(path));
  return PassageReader(path, std::move(lines), std::move(seen));
}

absl::StatusOr<std::optional<Passage>> PassageReader::Next() {
  while (true) {
    KVSCOPE_ASSIGN_OR_RETURN(const std::optional<Line> line, lines_.Next());
    if (!line && passages_ == 0) {
      return absl::InvalidArgumentError(
          absl::StrCat(path_, ": holds no passage, must hold at least one"));
    }
    if (!line) return std::nullopt;
    line_ = line->number;
    if (!line->whole) {
      return absl::InvalidArgumentError(absl::StrCat(path_, ":", line_, ": is longer than ",
                                                     kMaxLineBytes,
                                                     " bytes, the longest line allowed"));
    }
    if (line->text.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    absl::StatusOr<Passage> passage =
        ParsePassage(line->text, {absl::StrCat(path_, ":", line_), dataset_, passages_});
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
