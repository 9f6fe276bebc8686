#include "services/metrics/estimate/distributions.h"

#include <algorithm>
#include <cmath>
#include <unsupported/Eigen/SpecialFunctions>

namespace kvscope::metrics {
namespace {

double StudentCdf(double t, double df) {
  const double tail = Eigen::numext::betainc(df / 2, 0.5, df / (df + t * t)) / 2;
  return t > 0 ? 1 - tail : tail;
}

}  // namespace

double NormalCdf(double z) { return 0.5 * std::erfc(-z / std::sqrt(2.0)); }

double NormalQuantile(double p) { return Eigen::numext::ndtri(p); }

double NormalTwoSided(double z) { return std::erfc(std::abs(z) / std::sqrt(2.0)); }

double StudentQuantile(double p, double df) {
  if (p == 0.5) return 0;
  if (p < 0.5) return -StudentQuantile(1 - p, df);
  double low = 0, high = 1;
  while (StudentCdf(high, df) < p && high < 1e12) high *= 2;
  for (int i = 0; i < 100 && high - low > 1e-12 * high; ++i) {
    const double middle = (low + high) / 2;
    (StudentCdf(middle, df) < p ? low : high) = middle;
  }
  return (low + high) / 2;
}

double SortedQuantile(std::span<const double> sorted, double p) {
  const double place = p * (static_cast<double>(sorted.size()) + 1) - 1;
  if (!(place > 0)) return sorted.front();
  const size_t below = static_cast<size_t>(place);
  if (below + 1 >= sorted.size()) return sorted.back();
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[below + 1] - sorted[below]);
}

}  // namespace kvscope::metrics
