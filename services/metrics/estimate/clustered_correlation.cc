#include "services/metrics/estimate/clustered_correlation.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "services/metrics/estimate/distributions.h"
#include "services/metrics/estimate/random.h"
#include "services/metrics/estimate/ranks.h"

namespace kvscope::metrics {
namespace {

constexpr double kSmallestDrawError = 0.5;  // of the sample's
constexpr double kNearOne = 1 - 1e-9;

struct Sums {
  double n = 0, x = 0, y = 0, xx = 0, yy = 0, xy = 0;

  void Add(const Sums& other) {
    n += other.n;
    x += other.x;
    y += other.y;
    xx += other.xx;
    yy += other.yy;
    xy += other.xy;
  }
};

struct Fitted {
  double mean_x, mean_y, var_x, var_y, r;
  bool defined;
};

Fitted Fit(const Sums& all) {
  Fitted fit{all.x / all.n, all.y / all.n, 0, 0, 0, false};
  fit.var_x = all.xx / all.n - fit.mean_x * fit.mean_x;
  fit.var_y = all.yy / all.n - fit.mean_y * fit.mean_y;
  // The columns were standardised: variances far below 1 are rounding.
  if (fit.var_x < 1e-12 || fit.var_y < 1e-12) return fit;
  fit.defined = true;
  fit.r = (all.xy / all.n - fit.mean_x * fit.mean_y) / std::sqrt(fit.var_x * fit.var_y);
  fit.r = std::clamp(fit.r, -kNearOne, kNearOne);
  return fit;
}

// A passage's sum of influences on r.
double Influence(const Sums& passage, const Fitted& fit) {
  const double xy = passage.xy - fit.mean_x * passage.y - fit.mean_y * passage.x +
                    fit.mean_x * fit.mean_y * passage.n;
  const double xx = passage.xx - 2 * fit.mean_x * passage.x + fit.mean_x * fit.mean_x * passage.n;
  const double yy = passage.yy - 2 * fit.mean_y * passage.y + fit.mean_y * fit.mean_y * passage.n;
  return xy / std::sqrt(fit.var_x * fit.var_y) - fit.r / 2 * (xx / fit.var_x + yy / fit.var_y);
}

// Standard error on Fisher's scale from the sum of squared influences of `passages` passages.
double FisherError(double squares, double passages, double n, double r) {
  return std::sqrt(squares * passages / (passages - 1)) / n / (1 - r * r);
}

std::vector<double> Standardised(std::span<const double> values) {
  const double n = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  double squares = 0;
  for (const double v : values) squares += (v - mean) * (v - mean);
  const double scale = std::sqrt(squares / n);
  std::vector<double> standardised;
  standardised.reserve(values.size());
  for (const double v : values) standardised.push_back((v - mean) / scale);
  return standardised;
}

std::vector<Sums> SumsOf(const Passages& passages, std::span<const double> given_x,
                         std::span<const double> given_y) {
  const std::vector<double> x = Standardised(given_x), y = Standardised(given_y);
  std::vector<Sums> sums(passages.count);
  for (size_t i = 0; i < x.size(); ++i) {
    sums[passages.of_answer[i]].Add({1, x[i], y[i], x[i] * x[i], y[i] * y[i], x[i] * y[i]});
  }
  std::erase_if(sums, [](const Sums& passage) { return passage.n == 0; });
  return sums;
}

// |t| of every bootstrap draw, ascending.
std::vector<double> DrawT(std::span<const Sums> sums, const Fitted& fit, double error,
                          const BootstrapOptions& options) {
  Random random(options.seed);
  const uint32_t count = static_cast<uint32_t>(sums.size());
  std::vector<uint32_t> drawn(count);
  std::vector<double> t;
  for (int draw = 0; draw < options.draw_count(); ++draw) {
    Sums all;
    for (uint32_t& g : drawn) {
      g = random.Below(count);
      all.Add(sums[g]);
    }
    const Fitted other = Fit(all);
    if (!other.defined) continue;
    double squares = 0;
    for (const uint32_t g : drawn) {
      const double influence = Influence(sums[g], other);
      squares += influence * influence;
    }
    const double other_error = FisherError(squares, count, all.n, other.r);
    t.push_back(std::abs(std::atanh(other.r) - std::atanh(fit.r)) /
                std::max(other_error, error * kSmallestDrawError));
  }
  std::sort(t.begin(), t.end());
  return t;
}

// Mean over j of weight(j) * (K(i, j) - F(j)): by the order of `ranks` (average ranks), with
// F = (rank - 1/2) / n.
std::vector<double> RankTerm(std::span<const double> ranks, std::span<const double> weights) {
  const size_t n = ranks.size();
  std::vector<size_t> order(n);
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t i, size_t j) { return ranks[i] < ranks[j]; });
  double mean = 0, above = 0;
  for (size_t i = 0; i < n; ++i) {
    mean += weights[i] * (ranks[i] - 0.5) / n;
    above += weights[i];
  }
  std::vector<double> term(n);
  for (size_t begin = 0; begin < n;) {
    size_t end = begin;
    double tied = 0;
    while (end < n && ranks[order[end]] == ranks[order[begin]]) tied += weights[order[end++]];
    above -= tied;
    for (size_t k = begin; k < end; ++k) term[order[k]] = (above + tied / 2 - mean) / n;
    begin = end;
  }
  return term;
}

std::vector<double> Halved(std::span<const double> ranks) {  // F - 1/2
  std::vector<double> halved;
  for (const double rank : ranks) halved.push_back((rank - 0.5) / ranks.size() - 0.5);
  return halved;
}

double MeanProduct(std::span<const double> a, std::span<const double> b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0) / static_cast<double>(a.size());
}

}  // namespace

ClusteredReach PearsonReach(const Passages& passages, std::span<const double> x,
                            std::span<const double> y, const BootstrapOptions& options) {
  const std::vector<Sums> sums = SumsOf(passages, x, y);
  ClusteredReach result{std::nullopt, static_cast<int32_t>(sums.size())};
  if (sums.size() < 2) return result;
  Sums all;
  for (const Sums& passage : sums) all.Add(passage);
  const Fitted fit = Fit(all);
  double squares = 0;
  for (const Sums& passage : sums) {
    const double influence = Influence(passage, fit);
    squares += influence * influence;
  }
  const double count = static_cast<double>(sums.size());
  const double error = FisherError(squares, count, all.n, fit.r);
  if (error < 1e-12) return result;
  const std::vector<double> t = DrawT(sums, fit, error, options);
  double quantile = StudentQuantile((1 + options.confidence) / 2, count - 1);
  if (!t.empty()) quantile = std::max(quantile, SortedQuantile(t, options.confidence));
  result.reach = quantile * error;
  return result;
}

ClusteredReach SpearmanReach(const Passages& passages, std::span<const double> x,
                             std::span<const double> y, double confidence) {
  const std::vector<double> rank_x = MidRanks(x), rank_y = MidRanks(y);
  const std::vector<double> a = Halved(rank_x), b = Halved(rank_y);
  const double c = MeanProduct(a, b), var_a = MeanProduct(a, a), var_b = MeanProduct(b, b);
  const double rho = c / std::sqrt(var_a * var_b);
  const std::vector<double> term_ab = RankTerm(rank_x, b), term_ba = RankTerm(rank_y, a);
  const std::vector<double> term_aa = RankTerm(rank_x, a), term_bb = RankTerm(rank_y, b);
  std::vector<double> influence(passages.count);
  std::vector<bool> present(passages.count);
  for (size_t i = 0; i < a.size(); ++i) {
    const double on_c = a[i] * b[i] - c + term_ab[i] + term_ba[i];
    const double on_a = a[i] * a[i] - var_a + 2 * term_aa[i];
    const double on_b = b[i] * b[i] - var_b + 2 * term_bb[i];
    influence[passages.of_answer[i]] +=
        on_c / std::sqrt(var_a * var_b) - rho / 2 * (on_a / var_a + on_b / var_b);
    present[passages.of_answer[i]] = true;
  }
  const double count = static_cast<double>(std::count(present.begin(), present.end(), true));
  ClusteredReach result{std::nullopt, static_cast<int32_t>(count)};
  if (count < 2) return result;
  const double squares =
      std::inner_product(influence.begin(), influence.end(), influence.begin(), 0.0);
  const double error = FisherError(squares, count, static_cast<double>(a.size()), rho);
  if (error < 1e-12) return result;
  result.reach = StudentQuantile((1 + confidence) / 2, count - 1) * error;
  return result;
}

}  // namespace kvscope::metrics
