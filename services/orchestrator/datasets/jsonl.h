// JSONL files of passages, read and written one passage at a time.
#pragma once

#include <cstdint>
#include <fstream>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/orchestrator/datasets/line_reader.h"
#include "services/orchestrator/datasets/passage.h"
#include "services/orchestrator/datasets/seen_ids.h"

namespace kvscope::orchestrator {

// The data set that a file's passages belong to unless they name another: the file's name without
// folder and extension, or `data` where that is no fit name.
std::string DatasetNameOf(const std::string& path);

// Reads passages in order.  Memory: one line, and about 100 bytes for every id (they must be
// unique).  Blank lines and a leading byte-order mark are skipped.
class PassageReader {
 public:
  // `seen`, where given, is shared by files whose ids must differ from each other's too.  A passage
  // that names no data set belongs to DatasetNameOf(path).
  // Errors: NotFound if the file cannot be opened.
  static absl::StatusOr<PassageReader> Open(const std::string& path,
                                            std::shared_ptr<SeenIds> seen = nullptr);

  // The next passage; nothing at the end.  After an error there is no going on.
  // Errors: InvalidArgument with file, line and field for bytes that are no passage, ids used
  // twice, a line above kMaxLineBytes, and a file without any passage; DataLoss if reading fails.
  absl::StatusOr<std::optional<Passage>> Next();

  int64_t line() const { return line_; }  // of the last passage, from 1

 private:
  PassageReader(std::string path, LineReader lines, std::shared_ptr<SeenIds> seen);

  std::string path_;
  std::string dataset_;
  LineReader lines_;
  std::shared_ptr<SeenIds> seen_;
  int64_t line_ = 0;
  int64_t passages_ = 0;
};

// Writes passages as canonical lines into a temporary file beside `path`, which takes its place on
// Close: a file of that name is always whole.
class PassageWriter {
 public:
  // Errors: PermissionDenied if the file cannot be created.
  static absl::StatusOr<PassageWriter> Create(const std::string& path);

  PassageWriter(PassageWriter&& other) noexcept;
  PassageWriter& operator=(PassageWriter&&) = delete;
  ~PassageWriter();  // without Close: the temporary file goes

  // Errors: DataLoss if writing fails (a full disk).
  absl::Status Write(const Passage& passage);
  absl::Status Close();

 private:
  explicit PassageWriter(std::string path);

  std::string path_;
  std::string temporary_path_;  // empty once closed
  std::ofstream file_;
};

}  // namespace kvscope::orchestrator
