// The CUDA backend: cuBLAS for products, kernels of this folder for the rest, one stream.
#pragma once

#include <memory>
#include <string>

#include "services/inference/ops/ops.h"

namespace kvscope::inference {

// On the device of this ordinal. Null where the machine has none that the kernels run on: `why_not`
// then says what was found. DeviceError where it has one that is full, or has failed.
std::unique_ptr<Ops> MakeCudaOps(int ordinal, std::string& why_not);

}  // namespace kvscope::inference
