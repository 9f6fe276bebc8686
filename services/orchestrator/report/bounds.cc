#include "services/orchestrator/report/bounds.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "absl/strings/str_format.h"

namespace kvscope::orchestrator {

std::optional<Bounds> BoundsOf(double share, const std::optional<ReportInterval>& interval,
                               int64_t answers) {
  if (!std::isfinite(share)) return std::nullopt;
  if (interval && std::isfinite(interval->first) && std::isfinite(interval->second)) {
    return Bounds{share, std::min(share, interval->first), std::max(share, interval->second), true};
  }
  if (answers < kFewestAnswers)
    return Bounds{share, std::min(share, 0.0), std::max(share, 1.0), false};
  return Bounds{share, std::min(share, std::max(0.0, share - kPlainMargin)),
                std::max(share, std::min(1.0, share + kPlainMargin)), false};
}

Bounds Difference(const Bounds& a, const Bounds& b) {
  const double value = a.value - b.value;
  return {value, value - std::hypot(a.value - a.low, b.high - b.value),
          value + std::hypot(a.high - a.value, b.value - b.low), a.measured && b.measured};
}

std::optional<Bounds> Retained(const Bounds& now, const Bounds& full) {
  if (full.value < kSmallestF1 || full.low <= 0) return std::nullopt;
  return Bounds{now.value / full.value, now.low / full.high, now.high / full.low,
                now.measured && full.measured};
}

std::optional<Bounds> Mean(std::span<const Bounds> numbers, Dependence dependence) {
  if (numbers.empty()) return std::nullopt;
  Bounds mean;
  double below = 0, above = 0;
  const bool squares = dependence == Dependence::kIndependent;
  for (const Bounds& number : numbers) {
    mean.value += number.value;
    mean.measured = mean.measured && number.measured;
    const double down = number.value - number.low, up = number.high - number.value;
    below += squares ? down * down : down;
    above += squares ? up * up : up;
  }
  const auto count = static_cast<double>(numbers.size());
  mean.value /= count;
  mean.low = mean.value - (squares ? std::sqrt(below) : below) / count;
  mean.high = mean.value + (squares ? std::sqrt(above) : above) / count;
  return mean;
}

std::set<double> SharedRatios(const F1Curve& a, const F1Curve& b) {
  std::set<double> ratios;
  for (const auto& [ratio, f1] : a) {
    if (ratio < kFirstRatio - kSameRatio || ratio > kLastRatio + kSameRatio) continue;
    if (Nearest(b, ratio)) ratios.insert(ratio);
  }
  return ratios;
}

std::optional<Bounds> MeanRetained(const F1Curve& curve, const std::set<double>& ratios) {
  const auto* full = Nearest(curve, 0);
  if (!full || ratios.size() < kFewestRatios) return std::nullopt;
  std::vector<Bounds> retained;
  for (const double ratio : ratios) {
    const auto* now = Nearest(curve, ratio);
    const auto share = now ? Retained(now->second, full->second) : std::nullopt;
    if (!share) return std::nullopt;
    retained.push_back(*share);
  }
  return Mean(retained, Dependence::kAnything);
}

std::string BoundsText(const Bounds& bounds) {
  if (!bounds.measured) return absl::StrFormat("%.2f (no interval)", bounds.value);
  return absl::StrFormat("%.2f (%.2f to %.2f)", bounds.value, bounds.low, bounds.high);
}

std::string RatioText(double ratio) { return absl::StrFormat("%.6g", ratio); }

}  // namespace kvscope::orchestrator
