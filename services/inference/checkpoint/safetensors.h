// The safetensors format: an 8-byte little-endian header length, a JSON header, then the data.
// Source: the format's specification, https://huggingface.co/docs/safetensors.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/inference/checkpoint/mapped_file.h"
#include "services/inference/tensor/tensor.h"

namespace kvscope::inference {

// One file, mapped: opening reads the header only, and tensors are views that keep the mapping
// alive.
class SafetensorsFile {
 public:
  // Checks the header against the file: every tensor's dtype, shape and byte range, no name twice,
  // ranges without gap or overlap that end with the file. Errors: NotFound, or InvalidArgument that
  // names the file, the tensor, what was found and what is expected.
  static absl::StatusOr<SafetensorsFile> Open(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return path_; }
  bool Has(std::string_view name) const { return entries_.find(name) != entries_.end(); }
  std::vector<std::string> names() const;  // ascending
  // A read-only view of the file; copied only where the file does not align it to its element size.
  // Errors: NotFound; Unimplemented for a dtype we have no use for (float8).
  absl::StatusOr<Tensor> Get(std::string_view name) const;
  // See MappedFile.
  void ReleasePages() const { file_->ReleasePages(); }

 private:
  struct Entry {
    std::string dtype;  // as the file spells it
    std::vector<int64_t> shape;
    size_t begin = 0, end = 0;  // bytes of the data part
  };
  absl::Status ReadHeader(std::string_view header, size_t data_bytes);
  absl::Status CheckRanges(size_t data_bytes) const;

  std::filesystem::path path_;
  std::shared_ptr<const MappedFile> file_;
  size_t data_begin_ = 0;
  std::map<std::string, Entry, std::less<>> entries_;
};

// Writes host tensors in the given order; the names must differ. The file appears whole or not at
// all. Errors: InvalidArgument for a name twice, Unavailable with the system's reason.
absl::Status WriteSafetensors(const std::filesystem::path& path,
                              const std::vector<std::pair<std::string, Tensor>>& tensors);

}  // namespace kvscope::inference
