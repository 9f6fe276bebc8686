// How far a correlation's interval reaches on Fisher's scale where answers are clustered by
// passage: atanh(r) +- reach.  correlation.h is the way in.
#pragma once

#include <optional>
#include <span>

#include "services/metrics/estimate/estimate.h"
#include "services/metrics/estimate/passages.h"

namespace kvscope::metrics {

struct ClusteredReach {
  std::optional<double> reach;  // null with fewer than two passages, or without spread between them
  int32_t passages = 0;
};

// Of finite pairs that vary on both sides and do not lie on one line.
// Influence of a pair on Pearson's r: u v - r (u^2 + v^2) / 2 with u, v standardised.
ClusteredReach PearsonReach(const Passages& passages, std::span<const double> x,
                            std::span<const double> y, const BootstrapOptions& options);

// Spearman's rho is Pearson's r of the mid-distribution values F(x), G(y).  A pair's influence on
// C = E[(F - 1/2)(G - 1/2)] is a b - C + hx + hy with a = F(x) - 1/2, b = G(y) - 1/2 and
// hx(i) = mean over j of b(j) (K(x(i), x(j)) - F(x(j))), K = 1 below, 1/2 at a tie, hy alike; on
// the variances the same with b = a; on rho by the chain rule.
ClusteredReach SpearmanReach(const Passages& passages, std::span<const double> x,
                             std::span<const double> y, double confidence);

}  // namespace kvscope::metrics
