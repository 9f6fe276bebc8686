// The reference backend: plain loops, the judge of the other backends.
#pragma once

#include <memory>

#include "services/inference/ops/ops.h"

namespace kvscope::inference {

std::unique_ptr<Ops> MakeReferenceOps();

}  // namespace kvscope::inference
