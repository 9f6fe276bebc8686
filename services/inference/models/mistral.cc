// mistral: Mistral without a sliding window: Llama's block without biases.  Source:
// arXiv:2310.06825.
#include "services/inference/models/family.h"

namespace kvscope::inference {

extern const ModelFamily kMistral;
const ModelFamily kMistral = {
    .model_type = "mistral",
    .summary = "Mistral without a sliding window: Llama's block without biases.",
    .source = "arXiv:2310.06825",
    .read_layer = ReadBlock,
};

}  // namespace kvscope::inference
