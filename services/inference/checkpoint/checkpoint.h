// Checkpoint: the weights of a model directory, in one safetensors file or in shards.
#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "services/inference/checkpoint/safetensors.h"

namespace kvscope::inference {

class Checkpoint {
 public:
  // Reads DIR/model.safetensors, or the shards that DIR/model.safetensors.index.json lists. Errors:
  // NotFound if there is neither, or a listed shard or tensor is missing; InvalidArgument for files
  // that are not what they claim.
  static absl::StatusOr<Checkpoint> Open(const std::filesystem::path& directory);

  bool Has(std::string_view name) const { return file_of_.find(name) != file_of_.end(); }
  // A read-only view; see SafetensorsFile::Get. NotFound names the directory and the tensor.
  absl::StatusOr<Tensor> Get(std::string_view name) const;
  // The same, refused unless it is float32, bfloat16 or float16 of this shape.
  absl::StatusOr<Tensor> GetWeight(std::string_view name, std::span<const int64_t> shape) const;
  // Of all files, see MappedFile: views stay valid.
  void ReleasePages() const {
    for (const SafetensorsFile& file : files_) file.ReleasePages();
  }

  // The files, in the order of their names (for digests and messages).
  std::vector<std::filesystem::path> paths() const;

 private:
  absl::Status OpenShards(const std::filesystem::path& index);

  std::filesystem::path directory_;
  std::vector<SafetensorsFile> files_;
  std::map<std::string, size_t, std::less<>> file_of_;  // tensor → index into files_
};

}  // namespace kvscope::inference
