// FileLock: makes this process the store's only one, by an exclusive lock of the operating system.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace kvscope::orchestrator {

// Held for the object's life; the system lets go of it when the process dies, however it dies.
class FileLock {
 public:
  // Locks PATH (created if missing, never removed) and writes the process id into it. Does not
  // wait. Errors: FailedPrecondition, naming `what` and the holder's process id; NotFound or
  // ResourceExhausted if the file cannot be created.
  static absl::StatusOr<std::unique_ptr<FileLock>> Acquire(const std::string& path,
                                                           const std::string& what);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  explicit FileLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace kvscope::orchestrator
