// Any function of sums over passages, with intervals by bootstrap over passages: BCa, expanded.
//
// A draw takes G passages with replacement and evaluates the statistic on its totals.  The interval
// is the bias-corrected and accelerated percentile interval (acceleration by the jackknife over
// passages), its normal quantile replaced by Student's  t(G-1) * sqrt(G/(G-1)), which makes up for
// the bootstrap's too small variance with few passages.  A statistic whose draws all equal its
// value gets that value as both ends.
//
// For statistics that are no mean, share, difference or slope: those have better intervals in
// bootstrap_ratio.h and curve_contrast.h.  Here 94-96 % were measured for correlations and well
// filled slopes from 30 passages on, 91-94 % where a small difference rests on few answers.  For
// places (a peak, a change point) see there.
// Source: Efron 1987 (BCa); Hesterberg 2015, arXiv:1411.5279, section 5 (expanded percentiles).
#pragma once

#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "services/metrics/estimate/estimate.h"
#include "services/metrics/estimate/random.h"

namespace kvscope::metrics {

// Sums over the answers of a passage, [passages, columns].
class PassageSums {
 public:
  PassageSums(int32_t passages, int columns)
      : passages_(passages), columns_(columns), sums_(static_cast<size_t>(passages) * columns) {}

  int32_t passages() const { return passages_; }
  int columns() const { return columns_; }
  std::span<double> row(int32_t passage) {
    return {sums_.data() + static_cast<size_t>(passage) * columns_, static_cast<size_t>(columns_)};
  }
  std::span<const double> row(int32_t passage) const {
    return {sums_.data() + static_cast<size_t>(passage) * columns_, static_cast<size_t>(columns_)};
  }

  std::vector<double> Totals() const;
  // Without the passages whose row is all zero: they saw no answer.  Draws from it skip the zeros
  // before and after a row's values.
  PassageSums WithoutEmpty() const;
  // The totals of as many passages as there are, drawn with replacement.  `totals`: [columns].
  void DrawTotals(Random& random, std::span<double> totals) const;

 private:
  int32_t passages_;
  int columns_;
  std::vector<double> sums_;
  std::vector<std::pair<int, int>> used_;  // [passages] columns [first, last), empty: all of them
};

// Fills `results` from `totals` [columns]; NaN where a result is not defined there.
using Statistic = std::function<void(std::span<const double> totals, std::span<double> results)>;

// One estimate a result.  Draws in which a result is not defined are left out of its interval, and
// the note counts them where they are more than one in a hundred; no interval where they are more
// than half, nor from fewer than two passages.  O((draws + passages) * passages * columns).
std::vector<Estimate> EstimateStatistics(const PassageSums& sums, int results,
                                         const Statistic& statistic,
                                         const BootstrapOptions& options = {});

// The results in each draw, [draws, results].
std::vector<double> DrawStatistics(const PassageSums& sums, int results, const Statistic& statistic,
                                   const BootstrapOptions& options);

// The expanded percentile interval of `draws` (any order; NaN left out) over `passages`, with or
// without BCa's corrections, into `estimate`, whose value it leaves.
struct BcaTerms {
  double bias = 0;  // z0
  double acceleration = 0;
};
void SetPercentileInterval(std::vector<double> draws, int32_t passages, const BcaTerms& terms,
                           double confidence, Estimate& estimate);

}  // namespace kvscope::metrics
