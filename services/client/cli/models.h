// Where model directories are.
#pragma once

#include <string>
#include <vector>

namespace kvscope::cli {

// Directories with a config.json directly below `models_dir`, sorted; where that is empty, below
// $KVSCOPE_MODELS_DIR, ./models and the models/ of the source tree or installation that this binary
// is in.
std::vector<std::string> FindModels(const std::string& models_dir);

}  // namespace kvscope::cli
