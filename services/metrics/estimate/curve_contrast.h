// Linear combinations of a curve's means, such as a slope between two ratios, with intervals.
//
// sum over r of c(r) m(r), with m(r) = sum of values / answers at ratio r.  A passage's influence
// is sum of c(r) (values(g, r) - m(r) answers(g, r)) / answers(r); the standard error is the root
// of G/(G-1) times the sum of their squares.  Interval: symmetric bootstrap-t over passages with
// the same floors as RatioEstimate (bootstrap_ratio.h), whose coverage it has: BCa covers 91-94 %
// where the means hardly differ.
#pragma once

#include <utility>
#include <vector>

#include "services/metrics/estimate/curve.h"

namespace kvscope::metrics {

// (index of the ratio, coefficient); every index below the curve's number of ratios.
using Contrast = std::vector<std::pair<int, double>>;

// One estimate a contrast.  Draws that lack a ratio are left out.  No interval from fewer than two
// passages, or where no passage differs from another.
// O(draws * passages * (ratios + all terms)).
std::vector<Estimate> EstimateContrasts(const Curve& curve, const std::vector<Contrast>& contrasts,
                                        const BootstrapOptions& options = {});

}  // namespace kvscope::metrics
