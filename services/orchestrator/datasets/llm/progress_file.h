// What an unfinished run of Algorithm 1 has so far: a file that survives Ctrl-C, kill -9 and a
// power cut, and from which the same command goes on.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/orchestrator/datasets/llm/algorithm1.h"

namespace kvscope::orchestrator::llm {

// What decides the passages of a run; a run that goes on must have the same.
struct RunIdentity {
  const WritingRules* rules = nullptr;
  std::string model;
  uint64_t seed = 0;
  WordRange words;
};

// JSON lines: first the identity, then one outcome a line, each on the disk before Append returns.
class ProgressFile {
 public:
  // Reads the file at `path`, if there is one, and locks it.  A last line that a crash cut off
  // goes. Nothing is created before the first Append. Errors: InvalidArgument `PATH:LINE: ...` for
  // another identity and for lines that are none of ours; Aborted if another process holds the
  // file.
  static absl::StatusOr<ProgressFile> Open(const std::string& path, const RunIdentity& identity);

  ProgressFile(ProgressFile&& other) noexcept;
  ProgressFile& operator=(ProgressFile&&) = delete;
  ~ProgressFile();

  const std::string& path() const { return path_; }
  // By passage index.  A passage that was given up and tried again: the last outcome, with the
  // rejections and the traffic of all.
  const std::map<int64_t, PassageOutcome>& outcomes() const { return outcomes_; }

  // Errors: PermissionDenied if the file cannot be created, DataLoss if it cannot be written.
  absl::Status Append(int64_t index, PassageOutcome outcome);

  // Deletes the file: all of it stands in the data set now.
  absl::Status Remove();

 private:
  ProgressFile(std::string path, RunIdentity identity);

  absl::Status Lock();
  absl::Status ReadLines();
  absl::Status ReadLine(std::string_view line, int64_t number);
  absl::Status WriteLine(const std::string& line);
  void Keep(int64_t index, PassageOutcome outcome);

  std::string path_;
  RunIdentity identity_;
  int descriptor_ = -1;  // none yet
  std::map<int64_t, PassageOutcome> outcomes_;
};

}  // namespace kvscope::orchestrator::llm
