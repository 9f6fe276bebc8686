#include "services/orchestrator/service/catalog.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/status_macros.h"

namespace kvscope::orchestrator {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMostConfigBytes = 1 << 20;  // the file is foreign

std::string ModelType(const fs::path& config) {
  std::error_code error;
  const uintmax_t bytes = fs::file_size(config, error);
  if (error || bytes > kMostConfigBytes) return "";
  std::ifstream in(config);
  const nlohmann::json json = nlohmann::json::parse(in, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("model_type")) return "";
  return json["model_type"].is_string() ? json["model_type"].get<std::string>() : "";
}

int64_t WeightsBytes(const fs::path& folder) {
  int64_t bytes = 0;
  std::error_code error;
  for (const fs::directory_entry& file : fs::directory_iterator(folder, error)) {
    if (file.path().extension() != ".safetensors") continue;
    const uintmax_t size = file.file_size(error);
    if (!error) bytes += static_cast<int64_t>(size);
  }
  return bytes;
}

absl::Status CheckName(const v1::ListModelsResponse& catalog, const std::string& field,
                       const std::string& name) {
  std::vector<std::string> names;
  for (const v1::CatalogModel& model : catalog.models()) {
    if (model.name() == name) return absl::OkStatus();
    names.push_back(model.name());
  }
  return absl::NotFoundError(absl::StrCat(field, ": the cluster has no model \"",
                                          absl::string_view(name).substr(0, 80), "\"; it has ",
                                          names.empty() ? "none" : absl::StrJoin(names, ", ")));
}

}  // namespace

absl::StatusOr<v1::ListModelsResponse> ReadCatalog(const std::string& models_dir) {
  if (models_dir.empty()) {
    return absl::FailedPreconditionError(
        "the orchestrator was started without --models-dir: it knows no models");
  }
  std::error_code error;
  std::vector<fs::path> folders;
  for (const fs::directory_entry& entry : fs::directory_iterator(models_dir, error)) {
    std::error_code ignored;
    if (fs::is_regular_file(entry.path() / "config.json", ignored)) folders.push_back(entry.path());
  }
  if (error) {
    return absl::UnavailableError(
        absl::StrCat("the models' folder cannot be read: ", error.message()));
  }
  std::sort(folders.begin(), folders.end());
  v1::ListModelsResponse catalog;
  for (const fs::path& folder : folders) {
    v1::CatalogModel& model = *catalog.add_models();
    model.set_name(folder.filename().string());
    model.set_model_type(ModelType(folder / "config.json"));
    model.set_weights_bytes(WeightsBytes(folder));
  }
  return catalog;
}

absl::Status CheckModelNames(const std::string& models_dir, const v1::SweepSpec& spec) {
  if (models_dir.empty()) return absl::OkStatus();
  KVSCOPE_ASSIGN_OR_RETURN(const v1::ListModelsResponse catalog, ReadCatalog(models_dir));
  KVSCOPE_RETURN_IF_ERROR(CheckName(catalog, "spec.model", spec.model()));
  for (int i = 0; i < spec.more_models_size(); ++i) {
    KVSCOPE_RETURN_IF_ERROR(
        CheckName(catalog, absl::StrCat("spec.more_models[", i, "]"), spec.more_models(i)));
  }
  if (spec.scoring().tokenizer() == "model") return absl::OkStatus();
  return CheckName(catalog, "spec.scoring.tokenizer", spec.scoring().tokenizer());
}

}  // namespace kvscope::orchestrator
