#include "services/inference/checkpoint/checkpoint.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace kvscope::inference {
namespace {

using nlohmann::json;

constexpr size_t kMaxIndexBytes = 64 << 20;
constexpr char kSingleFile[] = "model.safetensors";
constexpr char kIndexFile[] = "model.safetensors.index.json";

}  // namespace

absl::StatusOr<Checkpoint> Checkpoint::Open(const std::filesystem::path& directory) {
  Checkpoint checkpoint;
  checkpoint.directory_ = directory;
  std::error_code error;
  if (std::filesystem::exists(directory / kSingleFile, error)) {
    absl::StatusOr<SafetensorsFile> file = SafetensorsFile::Open(directory / kSingleFile);
    if (!file.ok()) return file.status();
    for (std::string& name : file->names()) checkpoint.file_of_.emplace(std::move(name), 0);
    checkpoint.files_.push_back(*std::move(file));
    return checkpoint;
  }
  if (!std::filesystem::exists(directory / kIndexFile, error)) {
    return absl::NotFoundError(absl::StrCat(directory.string(), ": has neither ", kSingleFile,
                                            " nor ", kIndexFile,
                                            "; weights must be in the safetensors format"));
  }
  if (absl::Status status = checkpoint.OpenShards(directory / kIndexFile); !status.ok()) {
    return status;
  }
  return checkpoint;
}

absl::Status Checkpoint::OpenShards(const std::filesystem::path& index) {
  absl::StatusOr<std::string> text = ReadTextFile(index, kMaxIndexBytes);
  if (!text.ok()) return text.status();
  const json parsed = json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!parsed.is_object() || !parsed.contains("weight_map") || !parsed["weight_map"].is_object()) {
    return absl::InvalidArgumentError(
        absl::StrCat(index.string(), ": is not a JSON object with a weight_map"));
  }
  std::map<std::string, size_t> shard_of_file;
  for (const auto& [name, file] : parsed["weight_map"].items()) {
    if (!file.is_string()) {
      return absl::InvalidArgumentError(
          absl::StrCat(index.string(), ": weight_map['", name, "'] is not a file name"));
    }
    const auto& file_name = file.get_ref<const std::string&>();
    const std::filesystem::path relative(file_name);
    if (relative.empty() || relative != relative.filename() || file_name == "..") {
      return absl::InvalidArgumentError(absl::StrCat(index.string(), ": weight_map['", name,
                                                     "'] is '", file_name,
                                                     "', but shards lie beside the index"));
    }
    const auto [shard, is_new] = shard_of_file.emplace(file_name, 0);
    if (is_new) {
      absl::StatusOr<SafetensorsFile> opened = SafetensorsFile::Open(directory_ / relative);
      if (absl::IsNotFound(opened.status())) {
        return absl::NotFoundError(
            absl::StrCat(index.string(), ": lists the shard '", file_name, "', which is missing"));
      }
      if (!opened.ok()) return opened.status();
      shard->second = files_.size();
      files_.push_back(*std::move(opened));
    }
    if (!files_[shard->second].Has(name)) {
      return absl::NotFoundError(absl::StrCat(index.string(), ": lists the tensor '", name,
                                              "' in '", file_name, "', which does not have it"));
    }
    file_of_.emplace(name, shard->second);
  }
  return absl::OkStatus();
}

absl::StatusOr<Tensor> Checkpoint::Get(std::string_view name) const {
  const auto found = file_of_.find(name);
  if (found == file_of_.end()) {
    return absl::NotFoundError(absl::StrCat(directory_.string(), ": the weights have no tensor '",
                                            std::string(name), "'"));
  }
  return files_[found->second].Get(name);
}

absl::StatusOr<Tensor> Checkpoint::GetWeight(std::string_view name,
                                             std::span<const int64_t> shape) const {
  absl::StatusOr<Tensor> tensor = Get(name);
  if (!tensor.ok()) return tensor.status();
  const std::string file = files_[file_of_.find(name)->second].path().string();
  if (!std::equal(shape.begin(), shape.end(), tensor->shape().begin(), tensor->shape().end())) {
    return absl::InvalidArgumentError(
        absl::StrCat(file, ": tensor '", std::string(name), "' has shape [",
                     absl::StrJoin(tensor->shape(), ", "), "], but config.json asks for [",
                     absl::StrJoin(std::vector<int64_t>(shape.begin(), shape.end()), ", "), "]"));
  }
  const DType dtype = tensor->dtype();
  if (dtype != DType::kFloat32 && dtype != DType::kBFloat16 && dtype != DType::kFloat16) {
    return absl::InvalidArgumentError(
        absl::StrCat(file, ": tensor '", std::string(name), "' is ", DTypeName(dtype),
                     "; weights may be float32, bfloat16 or float16"));
  }
  return tensor;
}

std::vector<std::filesystem::path> Checkpoint::paths() const {
  std::vector<std::filesystem::path> paths;
  for (const SafetensorsFile& file : files_) paths.push_back(file.path());
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace kvscope::inference
