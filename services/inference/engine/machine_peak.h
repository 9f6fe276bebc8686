// What the machine can do, measured through a backend: the yardstick for utilisation.
#pragma once

#include "services/inference/ops/ops.h"

namespace kvscope::inference {

struct MachinePeak {
  double float32_operations_per_second = 0;  // of a product; a multiplication and an addition: two
  double bfloat16_operations_per_second = 0;
  double memory_bytes_per_second = 0;  // of x += y on arrays beyond any cache: two reads, one write
};

// The best of several short runs, so that what else the machine does counts little. Takes about
// 0.3 s and 130 MiB.
MachinePeak MeasurePeak(Ops& ops);

}  // namespace kvscope::inference
