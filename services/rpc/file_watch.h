// Tells when files change: a thread that looks once a second.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"

namespace kvscope::rpc {

class FileWatch {
 public:
  // Calls `changed` on its own thread after one second, and then whenever a file of `paths` was
  // written, replaced (also by moving a symbolic link), removed or made.
  FileWatch(std::vector<std::string> paths, std::function<void()> changed);
  ~FileWatch();  // waits for a call of `changed` that runs
  FileWatch(const FileWatch&) = delete;
  FileWatch& operator=(const FileWatch&) = delete;

 private:
  void Run();

  const std::vector<std::string> paths_;
  const std::function<void()> changed_;
  std::mutex mutex_;
  std::condition_variable ending_changed_;
  bool ending_ = false;
  std::thread thread_;  // last: it uses the others
};

// The content of a file of at most 1 MiB. Errors: InvalidArgument that names it and says why.
absl::StatusOr<std::string> ReadSmallFile(const std::string& path);

}  // namespace kvscope::rpc
