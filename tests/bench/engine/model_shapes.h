// Shapes of real models, for benchmarks on random weights.
#pragma once

#include <string>
#include <vector>

#include "services/inference/checkpoint/config.h"

namespace kvscope::bench {

std::vector<std::string> ShapeNames();
// `name`: one of ShapeNames.
inference::ModelConfig ConfigOf(const std::string& name);

}  // namespace kvscope::bench
