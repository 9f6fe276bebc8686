// The rotary embedding as scorers meet it: turning captured queries, which stand before RoPE.
#pragma once

#include <Eigen/Core>

#include "services/inference/flow/capture.h"

namespace kvscope::inference {

// What RoPE multiplies a head's vector by at one position, or averaged over many: pair
// (i, i + head_dim / 2) becomes (x cos - y sin, y cos + x sin).
struct Rotation {
  Eigen::RowVectorXf cos, sin;  // [head_dim / 2]

  RowMatrix Rows(const RowMatrix& x) const;  // every row of x [rows, head_dim], turned
};

// The mean over positions first .. first + count - 1. Angles are float32 products, as transformers
// computes them; the mean is taken in double.
Rotation MeanRotation(const RopeParameters& rope, int first, int count);

}  // namespace kvscope::inference
