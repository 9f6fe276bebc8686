#include "services/metrics/estimate/correlation.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>

#include "absl/strings/str_cat.h"
#include "services/metrics/estimate/bootstrap_statistic.h"
#include "services/metrics/estimate/clustered_correlation.h"
#include "services/metrics/estimate/distributions.h"
#include "services/metrics/estimate/ranks.h"
#include "services/status_macros.h"

namespace kvscope::metrics {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr size_t kFewestPairs = 4;
constexpr int32_t kMostCells = 100000;

struct Pairs {
  std::vector<double> x, y;
  std::vector<int32_t> passage;  // empty for plain pairs
};

Pairs Finite(std::span<const double> x, std::span<const double> y,
             std::span<const int32_t> passage) {
  Pairs pairs;
  for (size_t i = 0; i < x.size(); ++i) {
    if (!IsValue(x[i]) || !IsValue(y[i])) continue;
    pairs.x.push_back(x[i]);
    pairs.y.push_back(y[i]);
    if (!passage.empty()) pairs.passage.push_back(passage[i]);
  }
  return pairs;
}

// Subtracts the mean.  False if nothing varies.
bool Center(std::vector<double>& values) {
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  if (*low == *high) return false;
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / values.size();
  for (double& value : values) value -= mean;
  return true;
}

std::optional<double> Pearson(std::vector<double> x, std::vector<double> y) {
  if (!Center(x) || !Center(y)) return std::nullopt;
  const double xx = std::inner_product(x.begin(), x.end(), x.begin(), 0.0);
  const double yy = std::inner_product(y.begin(), y.end(), y.begin(), 0.0);
  const double xy = std::inner_product(x.begin(), x.end(), y.begin(), 0.0);
  const double r = xy / std::sqrt(xx) / std::sqrt(yy);
  if (!std::isfinite(r)) return std::nullopt;
  return std::clamp(r, -1.0, 1.0);
}

std::optional<double> Correlation(const std::vector<double>& x, const std::vector<double>& y,
                                  CorrelationKind kind) {
  return kind == CorrelationKind::kPearson ? Pearson(x, y) : Pearson(MidRanks(x), MidRanks(y));
}

// The value, or the note that says why there is none.
Estimate Begin(const Pairs& pairs, size_t given, CorrelationKind kind) {
  Estimate estimate;
  if (pairs.x.size() < kFewestPairs) {
    estimate.note =
        absl::StrCat(pairs.x.size(), " pairs: a correlation needs at least ", kFewestPairs);
    return estimate;
  }
  estimate.value = Correlation(pairs.x, pairs.y, kind);
  if (!estimate.value) {
    estimate.note = "one side does not vary: no correlation";
  } else if (std::abs(*estimate.value) >= 1 - 1e-12) {
    estimate.note = "all pairs lie on one line: no interval";
  } else if (pairs.x.size() < given) {
    estimate.note = absl::StrCat(given - pairs.x.size(), " pairs without a value left out");
  }
  return estimate;
}

bool HasInterval(const Estimate& estimate) {
  return estimate.value && std::abs(*estimate.value) < 1 - 1e-12;
}

void SetFisherInterval(double reach, Estimate& estimate) {
  const double z = std::atanh(*estimate.value);
  estimate.low = std::tanh(z - reach);
  estimate.high = std::tanh(z + reach);
}

// Means of the cells that have both, from totals [cells, {sum x, count x, sum y, count y}].
void CellMeans(std::span<const double> totals, std::vector<double>& x, std::vector<double>& y) {
  x.clear();
  y.clear();
  for (size_t c = 0; c + 3 < totals.size(); c += 4) {
    if (totals[c + 1] < 0.5 || totals[c + 3] < 0.5) continue;
    x.push_back(totals[c] / totals[c + 1]);
    y.push_back(totals[c + 2] / totals[c + 3]);
  }
}

}  // namespace

absl::StatusOr<Estimate> CorrelatePairs(std::span<const double> x, std::span<const double> y,
                                        CorrelationKind kind, double confidence) {
  if (x.size() != y.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("y: ", y.size(), " values for ", x.size(), " of x"));
  }
  const Pairs pairs = Finite(x, y, {});
  Estimate estimate = Begin(pairs, x.size(), kind);
  estimate.passages = static_cast<int32_t>(pairs.x.size());
  if (!HasInterval(estimate)) return estimate;
  const double r = *estimate.value, n = static_cast<double>(pairs.x.size());
  const double spread = kind == CorrelationKind::kPearson ? 1 : 1 + r * r / 2;
  SetFisherInterval(NormalQuantile((1 + confidence) / 2) * std::sqrt(spread / (n - 3)), estimate);
  return estimate;
}

absl::StatusOr<Estimate> CorrelateAnswers(const Passages& passages, std::span<const double> x,
                                          std::span<const double> y, CorrelationKind kind,
                                          const BootstrapOptions& options) {
  KVSCOPE_RETURN_IF_ERROR(CheckColumn(passages, "x", x.size()));
  KVSCOPE_RETURN_IF_ERROR(CheckColumn(passages, "y", y.size()));
  Pairs pairs = Finite(x, y, passages.of_answer);
  Estimate estimate = Begin(pairs, x.size(), kind);
  if (!HasInterval(estimate)) return estimate;
  const ClusteredReach reach =
      kind == CorrelationKind::kPearson
          ? PearsonReach({pairs.passage, passages.count}, pairs.x, pairs.y, options)
          : SpearmanReach({pairs.passage, passages.count}, pairs.x, pairs.y, options.confidence);
  estimate.passages = reach.passages;
  if (!reach.reach) {
    estimate.note = reach.passages < 2 ? "one passage: no interval"
                                       : "no passage differs from another: no interval";
    return estimate;
  }
  SetFisherInterval(*reach.reach, estimate);
  return estimate;
}

absl::StatusOr<CellCorrelation> CorrelateCells(const Passages& passages,
                                               std::span<const int32_t> cell, int32_t cells,
                                               std::span<const double> x, std::span<const double> y,
                                               const BootstrapOptions& options) {
  KVSCOPE_RETURN_IF_ERROR(CheckColumn(passages, "cell", cell.size()));
  KVSCOPE_RETURN_IF_ERROR(CheckColumn(passages, "x", x.size()));
  KVSCOPE_RETURN_IF_ERROR(CheckColumn(passages, "y", y.size()));
  if (cells < 0 || cells > kMostCells) {
    return absl::InvalidArgumentError(
        absl::StrCat("cells: ", cells, " is outside [0, ", kMostCells, "]"));
  }
  for (const int32_t c : cell) {
    if (c < 0 || c >= cells) {
      return absl::InvalidArgumentError(absl::StrCat("cell: ", c, " is outside [0, ", cells, ")"));
    }
  }
  PassageSums sums(passages.count, 4 * cells);
  for (size_t i = 0; i < x.size(); ++i) {
    const std::span<double> row = sums.row(passages.of_answer[i]).subspan(4 * cell[i], 4);
    if (IsValue(x[i])) row[0] += x[i], row[1] += 1;
    if (IsValue(y[i])) row[2] += y[i], row[3] += 1;
  }
  CellCorrelation result;
  std::vector<double> cell_x, cell_y;
  CellMeans(sums.Totals(), cell_x, cell_y);
  result.cells = static_cast<int32_t>(cell_x.size());
  result.pearson = Begin({cell_x, cell_y, {}}, cell_x.size(), CorrelationKind::kPearson);
  result.spearman = Begin({cell_x, cell_y, {}}, cell_x.size(), CorrelationKind::kSpearman);
  if (!result.pearson.value) return result;
  const std::vector<Estimate> estimates = EstimateStatistics(
      sums, 2,
      [&](std::span<const double> totals, std::span<double> results) {
        CellMeans(totals, cell_x, cell_y);
        const bool enough = cell_x.size() >= kFewestPairs;
        results[0] = enough ? Pearson(cell_x, cell_y).value_or(kNan) : kNan;
        results[1] = enough ? Pearson(MidRanks(cell_x), MidRanks(cell_y)).value_or(kNan) : kNan;
      },
      options);
  result.pearson = estimates[0];
  result.spearman = estimates[1];
  return result;
}

}  // namespace kvscope::metrics
