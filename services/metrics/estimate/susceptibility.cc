#include "services/metrics/estimate/susceptibility.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "services/metrics/estimate/curve_contrast.h"
#include "services/status_macros.h"

namespace kvscope::metrics {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

absl::Status CheckCurve(std::span<const double> alpha, std::span<const double> h) {
  if (alpha.size() != h.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("h: ", h.size(), " values for ", alpha.size(), " ratios"));
  }
  if (alpha.size() < 2) {
    return absl::InvalidArgumentError(
        absl::StrCat("alpha: ", alpha.size(), " ratios, a slope needs two"));
  }
  for (size_t i = 0; i < alpha.size(); ++i) {
    if (!std::isfinite(alpha[i]) || !std::isfinite(h[i])) {
      return absl::InvalidArgumentError("alpha, h: a value is not finite");
    }
    if (i > 0 && alpha[i] <= alpha[i - 1]) {
      return absl::InvalidArgumentError("alpha: the ratios do not ascend");
    }
  }
  return absl::OkStatus();
}

void FillGradient(std::span<const double> a, std::span<const double> h, std::span<double> chi) {
  const size_t last = a.size() - 1;
  chi[0] = (h[1] - h[0]) / (a[1] - a[0]);
  chi[last] = (h[last] - h[last - 1]) / (a[last] - a[last - 1]);
  for (size_t i = 1; i < last; ++i) {
    const double d = a[i] - a[i - 1], e = a[i + 1] - a[i];
    chi[i] = (d * d * h[i + 1] + (e * e - d * d) * h[i] - e * e * h[i - 1]) / (d * e * (d + e));
  }
}

void FillDifferences(std::span<const double> a, std::span<const double> h,
                     std::span<double> slopes) {
  for (size_t i = 0; i + 1 < a.size(); ++i) slopes[i] = (h[i + 1] - h[i]) / (a[i + 1] - a[i]);
}

// chi at each ratio and then at the midpoints: both are linear in h.
std::vector<Contrast> SlopeContrasts(std::span<const double> a) {
  const size_t n = a.size();
  std::vector<Contrast> contrasts(2 * n - 1);
  std::vector<double> unit(n), slopes(2 * n - 1);
  for (size_t r = 0; r < n; ++r) {
    std::fill(unit.begin(), unit.end(), 0.0);
    unit[r] = 1;
    FillGradient(a, unit, std::span(slopes).first(n));
    FillDifferences(a, unit, std::span(slopes).subspan(n, n - 1));
    for (size_t k = 0; k < slopes.size(); ++k) {
      if (slopes[k] != 0) contrasts[k].emplace_back(static_cast<int>(r), slopes[k]);
    }
  }
  return contrasts;
}

size_t PeakOf(std::span<const double> chi) {
  return std::max_element(chi.begin(), chi.end()) - chi.begin();
}

// Means of a draw after smoothing; false where the draw lacks a ratio.
bool SmoothMeans(std::span<const double> totals, Smoothing smoothing, std::span<double> h) {
  if (!CurveMeans(totals, h)) return false;
  if (smoothing == Smoothing::kIsotonic) {
    const std::vector<double> smooth = Isotonic(h, totals.subspan(h.size()));
    std::copy(smooth.begin(), smooth.end(), h.begin());
  }
  return true;
}

// `measure` fills chi at the ratios first.
void SetPeak(const Curve& hallucination, const Statistic& measure, const BootstrapOptions& options,
             Susceptibility& result) {
  const size_t n = result.ratios.size();
  std::vector<double> slopes(2 * n - 1);
  const Statistic peak_place = [&](std::span<const double> totals, std::span<double> results) {
    measure(totals, slopes);
    const std::span<const double> chi = std::span<const double>(slopes).first(n);
    results[0] = std::isfinite(chi[0]) ? result.ratios[PeakOf(chi)] : kNan;
  };
  double place = 0;
  peak_place(hallucination.sums.Totals(), {&place, 1});
  result.peak.value = place;
  result.peak_chi = slopes[PeakOf(std::span<const double>(slopes).first(n))];
  const std::vector<double> peaks = DrawStatistics(hallucination.sums, 1, peak_place, options);
  result.peak_share_of_draws = static_cast<double>(std::count(peaks.begin(), peaks.end(), place)) /
                               static_cast<double>(peaks.size());
  SetPercentileInterval(peaks, hallucination.sums.passages(), {}, options.confidence, result.peak);
}

}  // namespace

absl::StatusOr<std::vector<double>> Gradient(std::span<const double> alpha,
                                             std::span<const double> h) {
  KVSCOPE_RETURN_IF_ERROR(CheckCurve(alpha, h));
  std::vector<double> chi(alpha.size());
  FillGradient(alpha, h, chi);
  return chi;
}

absl::StatusOr<MidpointDifferences> DifferencesAtMidpoints(std::span<const double> alpha,
                                                           std::span<const double> h) {
  KVSCOPE_RETURN_IF_ERROR(CheckCurve(alpha, h));
  MidpointDifferences differences;
  differences.slope.resize(alpha.size() - 1);
  FillDifferences(alpha, h, differences.slope);
  for (size_t i = 0; i + 1 < alpha.size(); ++i) {
    differences.alpha.push_back((alpha[i + 1] + alpha[i]) / 2);
  }
  return differences;
}

std::vector<double> Isotonic(std::span<const double> values, std::span<const double> weights) {
  struct Block {
    double mean, weight;
    size_t length;
  };
  std::vector<Block> blocks;
  for (size_t i = 0; i < values.size(); ++i) {
    blocks.push_back({values[i], weights[i], 1});
    while (blocks.size() > 1 && blocks[blocks.size() - 2].mean >= blocks.back().mean) {
      const Block right = blocks.back();
      blocks.pop_back();
      Block& left = blocks.back();
      const double weight = left.weight + right.weight;
      left.mean = (left.mean * left.weight + right.mean * right.weight) / weight;
      left.weight = weight;
      left.length += right.length;
    }
  }
  std::vector<double> isotonic;
  for (const Block& block : blocks) isotonic.insert(isotonic.end(), block.length, block.mean);
  return isotonic;
}

Susceptibility MeasureSusceptibility(const Curve& hallucination, Smoothing smoothing,
                                     const BootstrapOptions& options) {
  Susceptibility result;
  result.smoothing = smoothing;
  result.ratios = hallucination.ratios;
  const std::span<const double> a = result.ratios;
  const size_t n = a.size();
  result.h.resize(n);
  if (n < 2) {
    SmoothMeans(hallucination.sums.Totals(), smoothing, result.h);
    result.note = absl::StrCat(n, " ratios: a slope needs two");
    result.peak.note = result.note;
    return result;
  }
  SmoothMeans(hallucination.sums.Totals(), smoothing, result.h);
  const auto measure = [&, h = std::vector<double>(n)](std::span<const double> totals,
                                                       std::span<double> results) mutable {
    if (!SmoothMeans(totals, smoothing, h)) {
      std::fill(results.begin(), results.end(), kNan);
      return;
    }
    FillGradient(a, h, results.first(n));
    FillDifferences(a, h, results.subspan(n, n - 1));
  };
  std::vector<Estimate> estimates =
      smoothing == Smoothing::kNone
          ? EstimateContrasts(hallucination, SlopeContrasts(a), options)
          : EstimateStatistics(hallucination.sums, static_cast<int>(2 * n - 1), measure, options);
  for (size_t i = 0; i < n; ++i) result.chi.push_back(std::move(estimates[i]));
  for (size_t i = 0; i + 1 < n; ++i) {
    result.midpoint_ratios.push_back((a[i] + a[i + 1]) / 2);
    result.midpoint_chi.push_back(std::move(estimates[n + i]));
  }
  SetPeak(hallucination, measure, options, result);
  result.note = CurveNote(hallucination);
  return result;
}

}  // namespace kvscope::metrics
