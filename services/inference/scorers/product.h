// The matrix products of scorers, by oneDNN, which picks its kernels for the processor at run time;
// Eigen's are fixed when the binary is built.
#pragma once

#include <Eigen/Core>

#include "services/inference/flow/capture.h"

namespace kvscope::inference {

using MatrixArgument = Eigen::Ref<const RowMatrix, 0, Eigen::OuterStride<>>;

// a · bᵀ: [m, k] and [n, k] to [m, n]. On one thread; equal inputs give equal bits.
RowMatrix TimesTransposed(const MatrixArgument& a, const MatrixArgument& b);
// aᵀ · b: [k, m] and [k, n] to [m, n].
RowMatrix TransposedTimes(const MatrixArgument& a, const MatrixArgument& b);

}  // namespace kvscope::inference
