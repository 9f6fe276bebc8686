#include "services/client/cli/models.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <set>

namespace kvscope::cli {

namespace fs = std::filesystem;

namespace {

std::vector<fs::path> Places(const std::string& models_dir) {
  if (!models_dir.empty()) return {models_dir};
  if (const char* named = std::getenv("KVSCOPE_MODELS_DIR"); named != nullptr) return {named};
  std::vector<fs::path> places = {"models"};
  std::error_code error;
  fs::path folder = fs::read_symlink("/proc/self/exe", error).parent_path();
  for (int up = 0; up < 4 && !error && folder.has_relative_path(); ++up) {
    folder = folder.parent_path();
    places.push_back(folder / "models");
    places.push_back(folder / "share" / "kvscope" / "models");
  }
  return places;
}

}  // namespace

std::vector<std::string> FindModels(const std::string& models_dir) {
  std::vector<std::string> found;
  std::set<fs::path> seen;
  for (const fs::path& place : Places(models_dir)) {
    std::vector<std::string> here;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(place, error)) {
      if (!fs::exists(entry.path() / "config.json", error)) continue;
      if (seen.insert(fs::canonical(entry.path(), error)).second) here.push_back(entry.path());
    }
    std::sort(here.begin(), here.end());
    found.insert(found.end(), here.begin(), here.end());
  }
  return found;
}

}  // namespace kvscope::cli
