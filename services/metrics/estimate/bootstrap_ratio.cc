#include "services/metrics/estimate/bootstrap_ratio.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "services/metrics/estimate/distributions.h"
#include "services/metrics/estimate/random.h"
#include "services/status_macros.h"

namespace kvscope::metrics {
namespace {

constexpr int kFewPassages = 10;
constexpr double kSmallestDrawDeff = 0.25;  // of the sample's
constexpr double kSmallestDrawError = 0.5;  // of the sample's

struct Passage {
  double y, n;
};

// Sums over passages, and their second moments, which give the standard error.
struct Moments {
  double y = 0, n = 0, yy = 0, yn = 0, nn = 0;

  void Add(const Passage& p) {
    y += p.y;
    n += p.n;
    yy += p.y * p.y;
    yn += p.y * p.n;
    nn += p.n * p.n;
  }
  double ratio() const { return y / n; }
  double StandardError(size_t passages) const {
    const double r = ratio();
    const double squares = yy - 2 * r * yn + r * r * nn;
    if (squares <= 1e-12 * (yy + r * r * nn)) return 0;  // rounding
    const double g = static_cast<double>(passages);
    return std::sqrt(squares * g / (g - 1)) / n;
  }
};

std::vector<Passage> WithDenominator(const RatioSums& sums) {
  std::vector<Passage> passages;
  for (size_t g = 0; g < sums.numerators.size(); ++g) {
    if (sums.denominators[g] > 0) passages.push_back({sums.numerators[g], sums.denominators[g]});
  }
  return passages;
}

Moments SumUp(std::span<const Passage> passages) {
  Moments moments;
  for (const Passage& passage : passages) moments.Add(passage);
  return moments;
}

// `studentise(moments of a draw)` for every draw, ascending.
template <typename Studentise>
std::vector<double> Draw(std::span<const Passage> passages, const BootstrapOptions& options,
                         Studentise studentise) {
  Random random(options.seed);
  std::vector<double> t(options.draw_count());
  const uint32_t count = static_cast<uint32_t>(passages.size());
  for (double& draw : t) {
    Moments moments;
    for (uint32_t i = 0; i < count; ++i) moments.Add(passages[random.Below(count)]);
    draw = studentise(moments);
  }
  std::sort(t.begin(), t.end());
  return t;
}

double Arc(double share) { return std::asin(std::sqrt(std::clamp(share, 0.0, 1.0))); }

double Unarc(double arc) {
  const double sine = std::sin(std::clamp(arc, 0.0, std::acos(0.0)));
  return sine * sine;
}

double DesignEffect(double share, double error, double n) {
  return error * error * n / (share * (1 - share));
}

// Value, passages and, where no interval can follow, the note.
Estimate Begin(const std::vector<Passage>& passages, const Moments& all) {
  Estimate estimate;
  estimate.passages = static_cast<int32_t>(passages.size());
  if (passages.empty()) {
    estimate.note = "no answers";
    return estimate;
  }
  estimate.value = all.ratio();
  if (passages.size() == 1) estimate.note = "one passage: no interval";
  return estimate;
}

void NoteFewPassages(Estimate& estimate) {
  if (estimate.passages < kFewPassages) {
    estimate.note = absl::StrCat(estimate.passages, " passages: the interval is rough");
  }
}

// All answers 0 or all 1: each passage counts once in the exact binomial bound.
void BoundOfNone(Estimate& estimate, const BootstrapOptions& options) {
  const double bound =
      1 - std::pow((1 - options.confidence) / 2, 1.0 / static_cast<double>(estimate.passages));
  const bool none = *estimate.value <= 0;
  estimate.value = none ? 0 : 1;
  estimate.low = none ? 0 : 1 - bound;
  estimate.high = none ? bound : 1;
  estimate.note = "all answers alike: the exact binomial bound, one answer a passage";
}

}  // namespace

std::optional<double> StandardError(const RatioSums& sums) {
  const std::vector<Passage> passages = WithDenominator(sums);
  if (passages.size() < 2) return std::nullopt;
  return SumUp(passages).StandardError(passages.size());
}

Estimate ShareEstimate(const RatioSums& sums, const BootstrapOptions& options) {
  const std::vector<Passage> passages = WithDenominator(sums);
  const Moments all = SumUp(passages);
  Estimate estimate = Begin(passages, all);
  if (!estimate.note.empty()) return estimate;
  const double share = *estimate.value;
  if (share <= 0 || share >= 1) {
    BoundOfNone(estimate, options);
    return estimate;
  }
  const double error = all.StandardError(passages.size());
  if (error == 0) {
    estimate.note = "no passage differs from another: no interval";
    return estimate;
  }
  const double deff = DesignEffect(share, error, all.n), arc = Arc(share);
  const std::vector<double> t = Draw(passages, options, [&](const Moments& draw) {
    const double r = draw.ratio();
    double drawn = deff;
    if (r > 0 && r < 1) {
      drawn = std::max(DesignEffect(r, draw.StandardError(passages.size()), draw.n),
                       deff * kSmallestDrawDeff);
    }
    return (Arc(r) - arc) / std::sqrt(drawn / (4 * draw.n));
  });
  const double tail = (1 - options.confidence) / 2;
  double down = SortedQuantile(t, 1 - tail), up = -SortedQuantile(t, tail);
  if (passages.size() < kFewPassages) {
    const double student = StudentQuantile(1 - tail, static_cast<double>(passages.size()) - 1);
    down = std::max(down, student);
    up = std::max(up, student);
  }
  const double arc_error = std::sqrt(deff / (4 * all.n));
  estimate.low = Unarc(arc - down * arc_error);
  estimate.high = Unarc(arc + up * arc_error);
  NoteFewPassages(estimate);
  return estimate;
}

Estimate RatioEstimate(const RatioSums& sums, const BootstrapOptions& options) {
  const std::vector<Passage> passages = WithDenominator(sums);
  const Moments all = SumUp(passages);
  Estimate estimate = Begin(passages, all);
  if (!estimate.note.empty()) return estimate;
  const double ratio = *estimate.value, error = all.StandardError(passages.size());
  if (error == 0) {
    estimate.note = "no passage differs from another: no interval";
    return estimate;
  }
  const std::vector<double> t = Draw(passages, options, [&](const Moments& draw) {
    const double drawn = draw.StandardError(passages.size());
    return std::abs(draw.ratio() - ratio) / std::max(drawn, error * kSmallestDrawError);
  });
  const double student =
      StudentQuantile((1 + options.confidence) / 2, static_cast<double>(passages.size()) - 1);
  const double reach = error * std::max(SortedQuantile(t, options.confidence), student);
  estimate.low = ratio - reach;
  estimate.high = ratio + reach;
  NoteFewPassages(estimate);
  return estimate;
}

absl::StatusOr<Estimate> MeanEstimate(const Passages& passages, std::span<const double> values,
                                      const BootstrapOptions& options) {
  KVSCOPE_ASSIGN_OR_RETURN(const RatioSums sums, SumByPassage(passages, values));
  const bool share = std::all_of(values.begin(), values.end(),
                                 [](double v) { return !IsValue(v) || (v >= 0 && v <= 1); });
  Estimate estimate = share ? ShareEstimate(sums, options) : RatioEstimate(sums, options);
  if (sums.left_out > 0) {
    absl::StrAppend(&estimate.note, estimate.note.empty() ? "" : "; ", sums.left_out,
                    " answers without a value left out");
  }
  return estimate;
}

}  // namespace kvscope::metrics
