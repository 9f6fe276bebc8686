// qwen2: Qwen2 and Qwen2.5: Llama's block with biases on queries, keys and values.  Source:
// arXiv:2407.10671.
#include "services/inference/models/family.h"

namespace kvscope::inference {

extern const ModelFamily kQwen2;
const ModelFamily kQwen2 = {
    .model_type = "qwen2",
    .summary = "Qwen2 and Qwen2.5: Llama's block with biases on queries, keys and values.",
    .source = "arXiv:2407.10671",
    .read_layer = ReadBlock,
};

}  // namespace kvscope::inference
