#include "services/metrics/estimate/curve.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "services/status_macros.h"

namespace kvscope::metrics {
namespace {

constexpr size_t kMostRatios = 1000;

std::vector<double> RatiosWithValue(std::span<const double> ratio, std::span<const double> value) {
  std::vector<double> ratios;
  for (size_t i = 0; i < ratio.size(); ++i) {
    if (IsValue(value[i])) ratios.push_back(ratio[i]);
  }
  std::sort(ratios.begin(), ratios.end());
  ratios.erase(std::unique(ratios.begin(), ratios.end()), ratios.end());
  return ratios;
}

}  // namespace

absl::StatusOr<Curve> MakeCurve(const Passages& passages, std::span<const double> ratio,
                                std::span<const double> value) {
  KVSCOPE_RETURN_IF_ERROR(CheckColumn(passages, "ratio", ratio.size()));
  KVSCOPE_RETURN_IF_ERROR(CheckColumn(passages, "value", value.size()));
  for (const double r : ratio) {
    if (!(r >= 0 && r <= 1)) {
      return absl::InvalidArgumentError(absl::StrCat("ratio: ", r, " is outside [0, 1]"));
    }
  }
  Curve curve;
  curve.ratios = RatiosWithValue(ratio, value);
  if (curve.ratios.size() > kMostRatios) {
    return absl::InvalidArgumentError(
        absl::StrCat("ratio: ", curve.ratios.size(), " different values, at most ", kMostRatios));
  }
  const int count = static_cast<int>(curve.ratios.size());
  PassageSums sums(passages.count, 2 * count);
  for (size_t i = 0; i < ratio.size(); ++i) {
    if (!IsValue(value[i])) {
      ++curve.left_out;
      continue;
    }
    const int64_t r =
        std::lower_bound(curve.ratios.begin(), curve.ratios.end(), ratio[i]) - curve.ratios.begin();
    const std::span<double> row = sums.row(passages.of_answer[i]);
    row[r] += value[i];
    row[count + r] += 1;
  }
  curve.sums = sums.WithoutEmpty();
  for (int32_t g = 0; g < curve.sums.passages(); ++g) {
    const auto counts = curve.sums.row(g).subspan(count);
    if (std::find(counts.begin(), counts.end(), 0.0) != counts.end()) ++curve.incomplete_passages;
  }
  return curve;
}

bool CurveMeans(std::span<const double> totals, std::span<double> means) {
  const size_t ratios = means.size();
  for (size_t r = 0; r < ratios; ++r) {
    if (totals[ratios + r] < 0.5) return false;
    means[r] = totals[r] / totals[ratios + r];
  }
  return true;
}

std::vector<double> Curve::Means() const {
  std::vector<double> means(ratios.size());
  CurveMeans(sums.Totals(), means);
  return means;
}

std::string CurveNote(const Curve& curve) {
  std::string note;
  if (curve.incomplete_passages > 0) {
    note = absl::StrCat(curve.incomplete_passages, " of ", curve.sums.passages(),
                        " passages lack some ratios");
  }
  if (curve.left_out > 0) {
    absl::StrAppend(&note, note.empty() ? "" : "; ", curve.left_out,
                    " answers without a value left out");
  }
  return note;
}

}  // namespace kvscope::metrics
