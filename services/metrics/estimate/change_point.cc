#include "services/metrics/estimate/change_point.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace kvscope::metrics {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kGrid = 0.005;

// All candidates of one shape.  With z the part of a candidate's column (a bend, a step) that the
// null model does not explain, of unit length and signed so that worse is positive, fitting the
// candidate lowers the squared error by (z . means)^2.
struct Candidates {
  std::vector<double> places;
  Eigen::MatrixXd z;           // [places, ratios]
  Eigen::MatrixXd null_space;  // [ratios, ratios]: projects means to the null model's fit
};

Eigen::VectorXd Column(const Eigen::VectorXd& ratios, double place, ChangeShape shape) {
  if (shape == ChangeShape::kBend) return (ratios.array() - place).max(0.0);
  return (ratios.array() > place).cast<double>();
}

std::vector<double> Places(const std::vector<double>& ratios, ChangeShape shape) {
  std::vector<double> places;
  if (shape == ChangeShape::kStep) {
    for (size_t i = 1; i < ratios.size(); ++i) places.push_back((ratios[i - 1] + ratios[i]) / 2);
    return places;
  }
  for (size_t i = 1; i + 1 < ratios.size(); ++i) {
    places.push_back(ratios[i]);
    if (i + 2 == ratios.size()) break;
    const int inside = static_cast<int>((ratios[i + 1] - ratios[i]) / kGrid - 0.5);
    for (int step = 1; step <= inside; ++step) {
      places.push_back(ratios[i] + (ratios[i + 1] - ratios[i]) * step / (inside + 1));
    }
  }
  return places;
}

Candidates MakeCandidates(const std::vector<double>& ratios, ChangeShape shape, Worse worse) {
  const Eigen::VectorXd alpha = Eigen::Map<const Eigen::VectorXd>(ratios.data(), ratios.size());
  Eigen::MatrixXd null_columns(ratios.size(), shape == ChangeShape::kBend ? 2 : 1);
  null_columns.col(0).setOnes();
  if (shape == ChangeShape::kBend) null_columns.col(1) = alpha;
  const Eigen::MatrixXd q = Eigen::HouseholderQR<Eigen::MatrixXd>(null_columns).householderQ() *
                            Eigen::MatrixXd::Identity(null_columns.rows(), null_columns.cols());
  Candidates candidates{Places(ratios, shape), {}, q * q.transpose()};
  candidates.z.resize(candidates.places.size(), ratios.size());
  for (size_t k = 0; k < candidates.places.size(); ++k) {
    const Eigen::VectorXd column = Column(alpha, candidates.places[k], shape);
    const Eigen::VectorXd rest = column - candidates.null_space * column;
    candidates.z.row(k) = rest.normalized() * (worse == Worse::kLower ? -1 : 1);
  }
  return candidates;
}

struct Best {
  int candidate = -1;  // none turns for the worse
  double gain = 0;     // root of the drop in squared error
};

Best FindBest(const Candidates& candidates, const Eigen::VectorXd& means) {
  Best best;
  const Eigen::VectorXd gains = candidates.z * means;
  for (int k = 0; k < gains.size(); ++k) {
    if (gains[k] > best.gain + 1e-12) best = {k, gains[k]};
  }
  return best;
}

// Fits the two segments at the place; fills slopes, value and loss.
void Fit(const Eigen::VectorXd& ratios, const Eigen::VectorXd& means, double place,
         ChangeShape shape, Worse worse, ChangePoint& result) {
  const bool bend = shape == ChangeShape::kBend;
  Eigen::MatrixXd columns(ratios.size(), bend ? 3 : 2);
  columns.col(0).setOnes();
  columns.col(1) = Column(ratios, place, shape);
  if (bend) columns.col(2) = ratios;
  const Eigen::VectorXd fit = columns.colPivHouseholderQr().solve(means);
  double change = fit[1];
  result.value_at_place = fit[0];
  if (bend) {
    result.slope_before = fit[2];
    result.slope_after = fit[2] + fit[1];
    result.value_at_place = fit[0] + fit[2] * place;
    change = *result.slope_after * (ratios[ratios.size() - 1] - place);
  }
  result.loss = std::max(0.0, worse == Worse::kLower ? -change : change);
}

// Places and gains under the null model, in bootstrap draws.
struct Drawn {
  std::vector<double> places;
  int draws = 0;
  int as_large = 0;
};

Drawn DrawPlaces(const Curve& curve, const Candidates& candidates, const Eigen::VectorXd& means,
                 double gain, const BootstrapOptions& options) {
  const int n = static_cast<int>(means.size());
  const double g = curve.sums.passages();
  const double widen = std::sqrt(g / (g - 1));
  const Eigen::VectorXd null_fit = candidates.null_space * means;
  const std::vector<double> curves = DrawStatistics(
      curve.sums, n,
      [](std::span<const double> totals, std::span<double> drawn) {
        if (!CurveMeans(totals, drawn)) drawn[0] = kNan;
      },
      options);
  Drawn drawn;
  for (int draw = 0; draw < options.draw_count(); ++draw) {
    const Eigen::Map<const Eigen::VectorXd> one(curves.data() + static_cast<size_t>(draw) * n, n);
    if (!std::isfinite(one[0])) continue;
    ++drawn.draws;
    const Best best = FindBest(candidates, one);
    drawn.places.push_back(best.candidate < 0 ? kNan : candidates.places[best.candidate]);
    const Best without = FindBest(candidates, null_fit + widen * (one - means));
    if (without.gain >= gain) ++drawn.as_large;
  }
  return drawn;
}

bool IsCliff(const ChangePoint& found, ChangeShape shape, Worse worse) {
  if (!found.p_value || *found.p_value > 0.05 || *found.loss < kSmallestLoss) return false;
  if (shape == ChangeShape::kStep) return true;
  const double sign = worse == Worse::kLower ? -1 : 1;
  return sign * *found.slope_after >= kSteeper * sign * *found.slope_before;
}

std::string Verdict(const ChangePoint& found, ChangeShape shape) {
  std::string numbers = absl::StrFormat("at %.2f", *found.place.value);
  if (found.place.low) {
    absl::StrAppendFormat(&numbers, " (%.2f to %.2f)", *found.place.low, *found.place.high);
  }
  if (shape == ChangeShape::kBend) {
    absl::StrAppendFormat(&numbers, ": slope %.2f before, %.2f after", *found.slope_before,
                          *found.slope_after);
  }
  absl::StrAppendFormat(&numbers, ", %.3f lost", *found.loss);
  if (found.p_value) absl::StrAppendFormat(&numbers, ", p = %.4f", *found.p_value);
  return absl::StrCat(found.is_cliff ? "a cliff " : "no cliff; the best fit turns ", numbers);
}

}  // namespace

ChangePoint FindChangePoint(const Curve& curve, Worse worse, ChangeShape shape,
                            const BootstrapOptions& options) {
  ChangePoint result;
  result.place.passages = curve.sums.passages();
  if (curve.ratios.size() < kFewestRatios) {
    result.place.note =
        absl::StrCat(curve.ratios.size(), " ratios: a change point needs at least ", kFewestRatios);
    result.verdict = result.place.note;
    return result;
  }
  const std::vector<double> values = curve.Means();
  const Eigen::VectorXd means = Eigen::Map<const Eigen::VectorXd>(values.data(), values.size());
  const Candidates candidates = MakeCandidates(curve.ratios, shape, worse);
  const Best best = FindBest(candidates, means);
  if (best.candidate < 0) {
    result.place.note = "the curve nowhere turns for the worse";
    result.verdict = absl::StrCat("no cliff: ", result.place.note);
    return result;
  }
  const double place = candidates.places[best.candidate];
  result.place.value = place;
  Fit(Eigen::Map<const Eigen::VectorXd>(curve.ratios.data(), curve.ratios.size()), means, place,
      shape, worse, result);
  if (curve.sums.passages() < 2) {
    result.place.note = "one passage: no interval";
  } else {
    Drawn drawn = DrawPlaces(curve, candidates, means, best.gain, options);
    result.p_value = (1.0 + drawn.as_large) / (1.0 + drawn.draws);
    SetPercentileInterval(std::move(drawn.places), curve.sums.passages(), {}, options.confidence,
                          result.place);
  }
  result.is_cliff = IsCliff(result, shape, worse);
  result.verdict = Verdict(result, shape);
  const std::string note = CurveNote(curve);
  if (!note.empty()) {
    absl::StrAppend(&result.place.note, result.place.note.empty() ? "" : "; ", note);
  }
  return result;
}

}  // namespace kvscope::metrics
