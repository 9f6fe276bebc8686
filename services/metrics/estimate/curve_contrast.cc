#include "services/metrics/estimate/curve_contrast.h"

#include <algorithm>
#include <cmath>

#include "services/metrics/estimate/distributions.h"
#include "services/metrics/estimate/random.h"

namespace kvscope::metrics {
namespace {

constexpr double kSmallestDrawError = 0.5;  // of the sample's

double ValueOf(const Contrast& contrast, std::span<const double> means) {
  double value = 0;
  for (const auto& [ratio, coefficient] : contrast) value += coefficient * means[ratio];
  return value;
}

// Over the passages `drawn` (indices), whose totals and means are given.
double ErrorOf(const Contrast& contrast, const PassageSums& sums, std::span<const uint32_t> drawn,
               std::span<const double> totals, std::span<const double> means) {
  const size_t ratios = means.size();
  double squares = 0, scale = 0;
  for (const uint32_t g : drawn) {
    const std::span<const double> row = sums.row(static_cast<int32_t>(g));
    double influence = 0;
    for (const auto& [r, coefficient] : contrast) {
      const double weight = coefficient / totals[ratios + r];
      influence += weight * (row[r] - means[r] * row[ratios + r]);
      scale += std::abs(weight * row[r]) + std::abs(weight * means[r] * row[ratios + r]);
    }
    squares += influence * influence;
  }
  const double count = static_cast<double>(drawn.size());
  const double error = std::sqrt(squares * count / (count - 1));
  return error <= 1e-12 * scale ? 0 : error;  // rounding
}

// |t| of each contrast in every draw, [contrasts][draws].
std::vector<std::vector<double>> DrawT(const Curve& curve, const std::vector<Contrast>& contrasts,
                                       std::span<const double> values,
                                       std::span<const double> errors,
                                       const BootstrapOptions& options) {
  const PassageSums& sums = curve.sums;
  Random random(options.seed);
  std::vector<uint32_t> drawn(sums.passages());
  std::vector<double> totals(sums.columns()), means(curve.ratios.size());
  std::vector<std::vector<double>> t(contrasts.size());
  for (int draw = 0; draw < options.draw_count(); ++draw) {
    std::fill(totals.begin(), totals.end(), 0.0);
    for (uint32_t& g : drawn) {
      g = random.Below(static_cast<uint32_t>(drawn.size()));
      const std::span<const double> row = sums.row(static_cast<int32_t>(g));
      for (size_t c = 0; c < totals.size(); ++c) totals[c] += row[c];
    }
    if (!CurveMeans(totals, means)) continue;
    for (size_t k = 0; k < contrasts.size(); ++k) {
      if (errors[k] == 0) continue;
      const double error = ErrorOf(contrasts[k], sums, drawn, totals, means);
      t[k].push_back(std::abs(ValueOf(contrasts[k], means) - values[k]) /
                     std::max(error, errors[k] * kSmallestDrawError));
    }
  }
  return t;
}

}  // namespace

std::vector<Estimate> EstimateContrasts(const Curve& curve, const std::vector<Contrast>& contrasts,
                                        const BootstrapOptions& options) {
  const int32_t passages = curve.sums.passages();
  std::vector<Estimate> estimates(contrasts.size());
  const std::vector<double> totals = curve.sums.Totals(), means = curve.Means();
  std::vector<uint32_t> all(passages);
  for (int32_t g = 0; g < passages; ++g) all[g] = g;
  std::vector<double> values, errors;
  for (size_t k = 0; k < contrasts.size(); ++k) {
    values.push_back(ValueOf(contrasts[k], means));
    estimates[k].passages = passages;
    estimates[k].value = values[k];
    estimates[k].note = passages < 2 ? "one passage: no interval" : "";
    errors.push_back(passages < 2 ? 0 : ErrorOf(contrasts[k], curve.sums, all, totals, means));
  }
  if (passages < 2) return estimates;
  std::vector<std::vector<double>> t = DrawT(curve, contrasts, values, errors, options);
  const double student = StudentQuantile((1 + options.confidence) / 2, passages - 1);
  for (size_t k = 0; k < contrasts.size(); ++k) {
    if (errors[k] == 0) {
      estimates[k].note = "no passage differs from another: no interval";
      continue;
    }
    std::sort(t[k].begin(), t[k].end());
    double quantile = student;
    if (!t[k].empty()) quantile = std::max(quantile, SortedQuantile(t[k], options.confidence));
    estimates[k].low = values[k] - quantile * errors[k];
    estimates[k].high = values[k] + quantile * errors[k];
  }
  return estimates;
}

}  // namespace kvscope::metrics
