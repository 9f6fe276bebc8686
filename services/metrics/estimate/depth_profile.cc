#include "services/metrics/estimate/depth_profile.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace kvscope::metrics {
namespace {

std::optional<double> MeanOf(std::span<const std::optional<double>> layers, int& without) {
  double sum = 0;
  int count = 0;
  for (const std::optional<double>& layer : layers) {
    if (!layer || !(std::abs(*layer) <= 1e100)) {
      ++without;
      continue;
    }
    sum += *layer;
    ++count;
  }
  if (count == 0) return std::nullopt;
  return sum / count;
}

DepthShape ShapeOf(const DepthProfile& profile, double threshold) {
  constexpr double kRounding = 1e-12;
  if (*profile.difference >= threshold - kRounding) return DepthShape::kEarlyConsensus;
  if (*profile.difference <= -threshold + kRounding) return DepthShape::kFunnel;
  const double middle = *profile.middle - (*profile.early + *profile.late) / 2;
  return std::abs(middle) >= threshold - kRounding ? DepthShape::kUneven : DepthShape::kFlat;
}

std::string RuleOf(const DepthProfile& profile, double threshold) {
  const std::string numbers = absl::StrFormat("early %.3f, middle %.3f, late %.3f", *profile.early,
                                              *profile.middle, *profile.late);
  switch (profile.shape) {
    case DepthShape::kEarlyConsensus:
      return absl::StrFormat("late - early = %.3f >= %g (%s)", *profile.difference, threshold,
                             numbers);
    case DepthShape::kFunnel:
      return absl::StrFormat("late - early = %.3f <= -%g (%s)", *profile.difference, threshold,
                             numbers);
    case DepthShape::kUneven:
      return absl::StrFormat("|late - early| < %g, but the middle stands out by as much (%s)",
                             threshold, numbers);
    default:
      return absl::StrFormat("no third of the layers stands out by %g (%s)", threshold, numbers);
  }
}

}  // namespace

std::string_view DepthShapeName(DepthShape shape) {
  switch (shape) {
    case DepthShape::kUndefined:
      return "";
    case DepthShape::kEarlyConsensus:
      return "early consensus";
    case DepthShape::kFunnel:
      return "funnel";
    case DepthShape::kUneven:
      return "uneven";
    case DepthShape::kFlat:
      return "flat";
  }
  return "";
}

DepthProfile ProfileDepth(std::span<const std::optional<double>> layers, double threshold) {
  DepthProfile profile;
  if (layers.size() < 3) {
    profile.rule = absl::StrCat(layers.size(), " layers: a shape needs at least 3");
    return profile;
  }
  const size_t third = layers.size() / 3;
  profile.early = MeanOf(layers.first(third), profile.layers_without_value);
  profile.middle =
      MeanOf(layers.subspan(third, layers.size() - 2 * third), profile.layers_without_value);
  profile.late = MeanOf(layers.last(third), profile.layers_without_value);
  if (profile.early && profile.late) profile.difference = *profile.late - *profile.early;
  if (!profile.difference || !profile.middle) {
    profile.rule = "a third of the layers has no value";
    return profile;
  }
  profile.shape = ShapeOf(profile, threshold);
  profile.rule = RuleOf(profile, threshold);
  return profile;
}

}  // namespace kvscope::metrics
