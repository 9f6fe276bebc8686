// Minimises a smooth convex function.  Source: Nocedal & Wright 2006, algorithm 7.4 (L-BFGS); the
// step is accepted by its slope, as in Hager & Zhang 2005, which still works where the function's
// values no longer differ by more than rounding.
#pragma once

#include <functional>
#include <vector>

#include "absl/status/statusor.h"

namespace kvscope::metrics {

// Returns f(x) and fills `gradient`, of x's length.
using Objective = std::function<absl::StatusOr<double>(const std::vector<double>& x,
                                                       std::vector<double>* gradient)>;

struct LbfgsOptions {
  double gradient_tolerance = 1e-6;  // of the gradient's largest absolute component
  int max_evaluations = 2000;
  int history = 10;  // pairs of vectors that it keeps
};

struct LbfgsResult {
  std::vector<double> x;
  double value = 0;
  double gradient_max = 0;  // largest absolute component at x
  int evaluations = 0;
  bool converged = false;  // gradient_max is within the tolerance
};

// From `start` on.  Memory: 2 history + 6 vectors.  Errors: those of `objective`.
absl::StatusOr<LbfgsResult> MinimizeLbfgs(const Objective& objective, std::vector<double> start,
                                          const LbfgsOptions& options = {});

}  // namespace kvscope::metrics
