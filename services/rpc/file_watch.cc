#include "services/rpc/file_watch.h"

#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"

namespace kvscope::rpc {
namespace {

constexpr std::chrono::seconds kInterval(1);
constexpr size_t kMaxBytes = 1 << 20;

// What differs whenever a file's content was written or exchanged.
using Stamp = std::array<int64_t, 5>;

Stamp StampOf(const std::string& path) {
  struct stat found = {};
  if (stat(path.c_str(), &found) != 0) return {};
  return {static_cast<int64_t>(found.st_ino), static_cast<int64_t>(found.st_dev), found.st_size,
          found.st_mtim.tv_sec, found.st_mtim.tv_nsec};
}

}  // namespace

FileWatch::FileWatch(std::vector<std::string> paths, std::function<void()> changed)
    : paths_(std::move(paths)), changed_(std::move(changed)), thread_([this] { Run(); }) {}

FileWatch::~FileWatch() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    ending_ = true;
  }
  ending_changed_.notify_all();
  thread_.join();
}

void FileWatch::Run() {
  std::vector<Stamp> known;  // empty at first: what happened before the first look counts too
  std::unique_lock<std::mutex> lock(mutex_);
  while (!ending_changed_.wait_for(lock, kInterval, [this] { return ending_; })) {
    std::vector<Stamp> now;
    for (const std::string& path : paths_) now.push_back(StampOf(path));
    if (now == known) continue;
    known = std::move(now);
    lock.unlock();
    changed_();
    lock.lock();
  }
}

absl::StatusOr<std::string> ReadSmallFile(const std::string& path) {
  const auto wrong = [&](const std::string& why) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", why));
  };
  struct stat found = {};
  if (stat(path.c_str(), &found) != 0) return wrong(std::strerror(errno));
  if (S_ISDIR(found.st_mode)) return wrong("is a directory, must be a file");
  std::ifstream in(path, std::ios::binary);
  if (!in) return wrong(std::strerror(errno));
  std::string content(kMaxBytes + 1, '\0');
  in.read(content.data(), static_cast<std::streamsize>(content.size()));
  content.resize(static_cast<size_t>(in.gcount()));
  if (content.size() > kMaxBytes) return wrong("is larger than 1 MiB, which no such file needs");
  return content;
}

}  // namespace kvscope::rpc
