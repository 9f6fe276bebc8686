// MappedFile: a file's bytes as read-only memory, without copying it.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "absl/status/statusor.h"

namespace kvscope::inference {

class MappedFile {
 public:
  // Errors: NotFound, or Unavailable with the system's reason; a directory is InvalidArgument.
  static absl::StatusOr<std::shared_ptr<const MappedFile>> Open(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  // Gives the pages read so far back to the system; they are read again when they are needed.
  // Without it a file that was read once counts as memory of ours.
  void ReleasePages() const;

 private:
  MappedFile(const std::byte* data, size_t size) : data_(data), size_(size) {}
  const std::byte* data_;
  size_t size_;
};

// The whole of a small text file (a config). Errors: as above; InvalidArgument above `max_bytes`.
absl::StatusOr<std::string> ReadTextFile(const std::filesystem::path& path, size_t max_bytes);

}  // namespace kvscope::inference
