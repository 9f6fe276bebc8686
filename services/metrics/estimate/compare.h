// Is one press better than another on the same questions, and how small a difference could be seen?
//
// Difference: the mean of a - b over the questions that both answered, interval by RatioEstimate.
//
// p-value: sign flips of the passages' sums of differences D(g).  If the two arms are exchangeable
// within a passage, every sign of D(g) is as likely as the other; p is the share of sign patterns
// with |sum +-D(g)| >= |sum D(g)|, two-sided.
// - Exact over all patterns up to 14 passages that differ.
// - Else `draws` random patterns with the seen one counted among them, (1 + hits) / (1 + draws),
//   ended early once 100 hits are seen: 100 / patterns so far, which is as valid (Besag and
//   Clifford 1991).
// - From 1000 passages on the normal limit of the same statistic, sum D / sqrt(sum D^2).
// For arms that are not exchangeable but equal in the mean it holds for many passages.  D(g) is
// coarse where answers are right or wrong, so the test errs on the safe side: false positives are
// 0-4.8 %, of six presses after Holm's correction 0-4.3 % (false_positives_test).
//
// Minimum detectable difference (80 % power, two-sided 5 %): (t(0.975) + t(0.8)) * standard error,
// Student's t with G - 1: a true difference of that size would have been found in 4 of 5 sweeps
// (80.4 % of simulated ones).
//
// Source: Fisher 1935 (sign flips); Holm 1979; Bloom 1995 (minimum detectable effect).
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "services/metrics/estimate/estimate.h"
#include "services/metrics/estimate/passages.h"

namespace kvscope::metrics {

inline constexpr double kAlpha = 0.05;
inline constexpr double kPower = 0.8;

struct ComparisonOptions {
  BootstrapOptions bootstrap = {};
  int draws = 9999;     // of sign patterns
  int family_size = 1;  // draws grow with it, so that Holm's smallest adjusted p is below 0.005
};

struct Comparison {
  Estimate difference;                              // a - b
  int64_t questions = 0;                            // that both arms answered
  int64_t left_out = 0;                             // that only one has, or none
  std::optional<double> p_value;                    // null with fewer than two passages
  std::optional<double> adjusted_p_value;           // by CorrectFamily
  std::optional<double> minimum_detectable;         // at kAlpha
  std::optional<double> minimum_detectable_family;  // at kAlpha / family size, by CorrectFamily

  // After correction where there was one.
  bool significant() const {
    const std::optional<double>& p = adjusted_p_value ? adjusted_p_value : p_value;
    return p.has_value() && *p <= kAlpha;
  }
};

// `a`, `b`: one value an answer, in the same order; NaN = missing.
// Errors: InvalidArgument as SumDifferenceByPassage.
absl::StatusOr<Comparison> ComparePaired(const Passages& passages, std::span<const double> a,
                                         std::span<const double> b,
                                         const ComparisonOptions& options = {});

// The p-value alone, from the passages' sums of differences.  1 where all are 0; null with fewer
// than two passages.
std::optional<double> SignFlipPValue(std::span<const double> differences,
                                     const ComparisonOptions& options = {});

// Holm's step-down adjusted p-values: with m p-values, the k-th smallest (from 0) times m - k, made
// non-decreasing, at most 1.  Null values stay null and do not count.
std::vector<std::optional<double>> Holm(std::span<const std::optional<double>> p_values);

// Sets the adjusted p-value and the family's minimum detectable difference of each.
void CorrectFamily(std::span<Comparison> family);

}  // namespace kvscope::metrics
