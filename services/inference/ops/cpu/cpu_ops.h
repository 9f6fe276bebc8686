// The cpu backend: products by oneDNN, everything else ours, threads by OpenMP.
#pragma once

#include <memory>

#include "services/inference/ops/ops.h"

namespace kvscope::inference {

std::unique_ptr<Ops> MakeCpuOps();

}  // namespace kvscope::inference
