// llama: Llama 2 and 3: RMSNorm, rotary positions, grouped queries, SwiGLU.  Source:
// arXiv:2407.21783.
#include "services/inference/models/family.h"

namespace kvscope::inference {

extern const ModelFamily kLlama;
const ModelFamily kLlama = {
    .model_type = "llama",
    .summary = "Llama 2 and 3: RMSNorm, rotary positions, grouped queries, SwiGLU.",
    .source = "arXiv:2407.21783",
    .read_layer = ReadBlock,
};

}  // namespace kvscope::inference
