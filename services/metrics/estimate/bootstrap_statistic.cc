#include "services/metrics/estimate/bootstrap_statistic.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "services/metrics/estimate/distributions.h"

namespace kvscope::metrics {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// Where the value stands among the draws, as a normal quantile.
double Bias(std::span<const double> draws, double value) {
  double below = 0, defined = 0;
  for (const double draw : draws) {
    if (!std::isfinite(draw)) continue;
    defined += 1;
    below += draw < value ? 1 : draw == value ? 0.5 : 0;
  }
  if (defined == 0) return 0;
  return NormalQuantile(std::clamp(below / defined, 1 / (defined + 1), defined / (defined + 1)));
}

// From the values without each passage in turn.
double Acceleration(std::span<const double> without) {
  double mean = 0, defined = 0, squares = 0, cubes = 0;
  for (const double value : without) {
    if (!std::isfinite(value)) continue;
    mean += value;
    defined += 1;
  }
  if (defined == 0) return 0;
  mean /= defined;
  for (const double value : without) {
    if (!std::isfinite(value)) continue;
    const double d = mean - value;
    squares += d * d;
    cubes += d * d * d;
  }
  return squares > 0 ? cubes / (6 * std::pow(squares, 1.5)) : 0;
}

struct Columns {  // [rows, results]
  std::vector<double> values;
  int results;
  std::vector<double> column(int result) const {
    std::vector<double> column;
    for (size_t i = result; i < values.size(); i += results) column.push_back(values[i]);
    return column;
  }
};

Columns WithoutEach(const PassageSums& sums, std::span<const double> all, int results,
                    const Statistic& statistic) {
  Columns without{std::vector<double>(static_cast<size_t>(sums.passages()) * results, kNan),
                  results};
  std::vector<double> totals(sums.columns());
  for (int32_t g = 0; g < sums.passages(); ++g) {
    for (int c = 0; c < sums.columns(); ++c) totals[c] = all[c] - sums.row(g)[c];
    statistic(totals, std::span(without.values).subspan(static_cast<size_t>(g) * results, results));
  }
  return without;
}

}  // namespace

std::vector<double> DrawStatistics(const PassageSums& sums, int results, const Statistic& statistic,
                                   const BootstrapOptions& options) {
  std::vector<double> drawn(static_cast<size_t>(options.draw_count()) * results, kNan);
  if (sums.passages() == 0) return drawn;
  Random random(options.seed);
  std::vector<double> totals(sums.columns());
  for (int draw = 0; draw < options.draw_count(); ++draw) {
    sums.DrawTotals(random, totals);
    statistic(totals, std::span(drawn).subspan(static_cast<size_t>(draw) * results, results));
  }
  return drawn;
}

std::vector<double> PassageSums::Totals() const {
  std::vector<double> totals(columns_);
  for (size_t i = 0; i < sums_.size(); ++i) totals[i % columns_] += sums_[i];
  return totals;
}

PassageSums PassageSums::WithoutEmpty() const {
  PassageSums rest(0, columns_);
  for (int32_t g = 0; g < passages_; ++g) {
    const std::span<const double> from = row(g);
    const auto used = [](double v) { return v != 0; };
    const auto first = std::find_if(from.begin(), from.end(), used);
    if (first == from.end()) continue;
    const auto last = std::find_if(from.rbegin(), from.rend(), used).base();
    rest.used_.emplace_back(first - from.begin(), last - from.begin());
    rest.sums_.insert(rest.sums_.end(), from.begin(), from.end());
    ++rest.passages_;
  }
  return rest;
}

void PassageSums::DrawTotals(Random& random, std::span<double> totals) const {
  std::fill(totals.begin(), totals.end(), 0.0);
  const uint32_t count = static_cast<uint32_t>(passages_);
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t passage = random.Below(count);
    const double* from = sums_.data() + static_cast<size_t>(passage) * columns_;
    const auto [first, last] = used_.empty() ? std::pair(0, columns_) : used_[passage];
    for (int c = first; c < last; ++c) totals[c] += from[c];
  }
}

void SetPercentileInterval(std::vector<double> draws, int32_t passages, const BcaTerms& terms,
                           double confidence, Estimate& estimate) {
  estimate.passages = passages;
  const size_t all = draws.size();
  std::erase_if(draws, [](double draw) { return !std::isfinite(draw); });
  if (passages < 2 || draws.size() * 2 < all) {
    estimate.note = passages < 2 ? "one passage: no interval"
                                 : "not defined in most bootstrap draws: no interval";
    return;
  }
  if ((all - draws.size()) * 100 > all) {
    estimate.note = absl::StrCat("not defined in ", all - draws.size(), " of ", all,
                                 " bootstrap draws, which are left out");
  }
  std::sort(draws.begin(), draws.end());
  const double g = passages;
  const double reach = std::sqrt(g / (g - 1)) * StudentQuantile((1 + confidence) / 2, g - 1);
  const auto end = [&](double z) {
    const double moved = terms.bias + z;
    const double shrink = std::max(1 - terms.acceleration * moved, 0.05);
    return SortedQuantile(draws, NormalCdf(terms.bias + moved / shrink));
  };
  estimate.low = end(-reach);
  estimate.high = end(reach);
}

std::vector<Estimate> EstimateStatistics(const PassageSums& given, int results,
                                         const Statistic& statistic,
                                         const BootstrapOptions& options) {
  const PassageSums sums = given.WithoutEmpty();
  std::vector<Estimate> estimates(results);
  if (sums.passages() == 0) {
    for (Estimate& estimate : estimates) estimate.note = "no answers";
    return estimates;
  }
  const std::vector<double> totals = sums.Totals();
  std::vector<double> values(results, kNan);
  statistic(totals, values);
  Columns drawn{{}, results}, without{{}, results};
  if (sums.passages() > 1) {
    drawn.values = DrawStatistics(sums, results, statistic, options);
    without = WithoutEach(sums, totals, results, statistic);
  }
  for (int r = 0; r < results; ++r) {
    Estimate& estimate = estimates[r];
    estimate.passages = sums.passages();
    if (!std::isfinite(values[r])) {
      estimate.note = "not defined on these answers";
      continue;
    }
    estimate.value = values[r];
    std::vector<double> draws = drawn.column(r);
    const BcaTerms terms{Bias(draws, values[r]), Acceleration(without.column(r))};
    SetPercentileInterval(std::move(draws), sums.passages(), terms, options.confidence, estimate);
  }
  return estimates;
}

}  // namespace kvscope::metrics
