// Susceptibility: how fast hallucination rises with the compression ratio, chi(alpha) = dH/dalpha.
// Source: arXiv:2603.01426, section on metrics (it peaks near 0.9 there).
#pragma once

#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "services/metrics/estimate/curve.h"

namespace kvscope::metrics {

// What is done to H before it is differentiated.
enum class Smoothing {
  kNone,
  kIsotonic,  // the closest non-decreasing curve, weighted by answers (pool adjacent violators)
};

// chi at each alpha: one-sided at both ends; inside the second-order formula for unequal steps
// (numpy.gradient): with the left step d, the right step e,
//   [d^2 h(+) + (e^2 - d^2) h(0) - e^2 h(-)] / (d e (d + e)).
// Errors: InvalidArgument with fewer than two ratios, a value that is not finite, lists of
// different length, or ratios that do not ascend.
absl::StatusOr<std::vector<double>> Gradient(std::span<const double> alpha,
                                             std::span<const double> h);

// The plain differences between neighbours, which stand at the midpoints.  Errors: as Gradient.
struct MidpointDifferences {
  std::vector<double> alpha;
  std::vector<double> slope;
};
absl::StatusOr<MidpointDifferences> DifferencesAtMidpoints(std::span<const double> alpha,
                                                           std::span<const double> h);

// The closest non-decreasing list in weighted squares.  `weights` positive, as many as values.
std::vector<double> Isotonic(std::span<const double> values, std::span<const double> weights);

struct Susceptibility {
  std::vector<double> ratios;
  std::vector<double> h;                // means, after smoothing
  std::vector<Estimate> chi;            // at each ratio
  std::vector<double> midpoint_ratios;  // ratios - 1 of them
  std::vector<Estimate> midpoint_chi;
  Estimate peak;                   // the ratio where chi is largest; of equal ones the first
  double peak_chi = 0;             // chi there
  double peak_share_of_draws = 0;  // share of the bootstrap draws with the peak at that ratio
  Smoothing smoothing = Smoothing::kNone;
  std::string note;  // why everything is empty (fewer than two ratios), or what to mind
};

// Intervals of chi: EstimateContrasts, after smoothing EstimateStatistics (BCa).  Interval of the
// peak: the expanded percentiles of the peak's ratio in the draws; the peak lies on the grid, so on
// a coarse grid it covers more than 95
// %, and a peak that sits between two ratios may take both.
Susceptibility MeasureSusceptibility(const Curve& hallucination,
                                     Smoothing smoothing = Smoothing::kNone,
                                     const BootstrapOptions& options = {});

}  // namespace kvscope::metrics
