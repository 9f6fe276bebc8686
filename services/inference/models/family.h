// A model family: how its checkpoints name the weights of one layer. One family a file.
#pragma once

#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "services/inference/models/weights.h"

namespace kvscope::inference {

struct ModelFamily {
  std::string_view model_type;  // as config.json spells it
  std::string_view summary;
  std::string_view source;
  absl::Status (*read_layer)(const WeightReader& reader, int layer, LayerWeights& weights);
};

// All families, in the order in which `kvscope models` lists them.
const std::vector<const ModelFamily*>& ModelFamilies();
// nullptr if there is none.
const ModelFamily* FindModelFamily(std::string_view model_type);

}  // namespace kvscope::inference
