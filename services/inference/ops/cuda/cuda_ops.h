// The CUDA backend: cuBLAS for products, kernels of this folder for the rest, one stream.
#pragma once

#include <memory>
#include <string>

#include "services/inference/ops/ops.h"

namespace kvscope::inference {

// Null where this machine has no device that the kernels run on: `why_not` then says so.
std::unique_ptr<Ops> MakeCudaOps(std::string& why_not);

}  // namespace kvscope::inference
