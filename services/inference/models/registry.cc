#include "services/inference/models/family.h"

namespace kvscope::inference {

extern const ModelFamily kLlama;
extern const ModelFamily kMistral;
extern const ModelFamily kQwen2;
extern const ModelFamily kQwen3;

const std::vector<const ModelFamily*>& ModelFamilies() {
  static const auto& families =
      *new std::vector<const ModelFamily*>{&kLlama, &kMistral, &kQwen2, &kQwen3};
  return families;
}

const ModelFamily* FindModelFamily(std::string_view model_type) {
  for (const ModelFamily* family : ModelFamilies()) {
    if (family->model_type == model_type) return family;
  }
  return nullptr;
}

}  // namespace kvscope::inference
