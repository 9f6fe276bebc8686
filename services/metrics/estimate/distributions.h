// The normal and Student's t distribution, and quantiles of a sample.
#pragma once

#include <span>

namespace kvscope::metrics {

double NormalCdf(double z);
double NormalQuantile(double p);              // p in (0, 1)
double StudentQuantile(double p, double df);  // p in (0, 1), df > 0; to about 1e-9
// Two-sided p-value of a standard normal statistic.
double NormalTwoSided(double z);

// Of ascending `sorted` (not empty): linear between the order statistics at p * (n + 1), the ends
// beyond them.  Source: Hyndman and Fan 1996, definition 6, which bootstrap intervals use.
double SortedQuantile(std::span<const double> sorted, double p);

}  // namespace kvscope::metrics
