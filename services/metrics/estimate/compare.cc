#include "services/metrics/estimate/compare.h"

#include <algorithm>
#include <cmath>

#include "services/metrics/estimate/bootstrap_ratio.h"
#include "services/metrics/estimate/distributions.h"
#include "services/metrics/estimate/random.h"
#include "services/status_macros.h"

namespace kvscope::metrics {
namespace {

constexpr size_t kExactUpTo = 14;     // 16,384 patterns
constexpr size_t kNormalFrom = 1000;  // passages that differ
constexpr int64_t kEnoughHits = 100;
constexpr int64_t kMostDraws = 1000000;

// Sums that are equal but for rounding count as reached.
double Threshold(std::span<const double> differences) {
  double sum = 0, absolute = 0;
  for (const double d : differences) {
    sum += d;
    absolute += std::abs(d);
  }
  return std::abs(sum) - 1e-12 * absolute;
}

double ExactPValue(std::span<const double> differences) {
  const double reached = Threshold(differences);
  const uint32_t patterns = 1u << differences.size();
  int64_t hits = 0;
  for (uint32_t pattern = 0; pattern < patterns; ++pattern) {
    double sum = 0;
    for (size_t g = 0; g < differences.size(); ++g) {
      sum += (pattern >> g) & 1 ? -differences[g] : differences[g];
    }
    if (std::abs(sum) >= reached) ++hits;
  }
  return static_cast<double>(hits) / patterns;
}

double SampledPValue(std::span<const double> differences, int64_t draws, uint64_t seed) {
  const double reached = Threshold(differences);
  Random random(seed);
  int64_t hits = 0;
  for (int64_t draw = 1; draw <= draws; ++draw) {
    double sum = 0;
    uint64_t bits = 0;
    for (size_t g = 0; g < differences.size(); ++g) {
      if (g % 64 == 0) bits = random.Next();
      sum += bits & 1 ? -differences[g] : differences[g];
      bits >>= 1;
    }
    if (std::abs(sum) >= reached && ++hits == kEnoughHits) {
      return static_cast<double>(hits) / static_cast<double>(draw);
    }
  }
  return static_cast<double>(1 + hits) / static_cast<double>(1 + draws);
}

double NormalPValue(std::span<const double> differences) {
  double sum = 0, squares = 0;
  for (const double d : differences) {
    sum += d;
    squares += d * d;
  }
  return NormalTwoSided(sum / std::sqrt(squares));
}

std::optional<double> MinimumDetectable(std::optional<double> error, int32_t passages,
                                        double alpha) {
  if (!error || *error == 0 || passages < 2) return std::nullopt;
  const double df = passages - 1;
  return (StudentQuantile(1 - alpha / 2, df) + StudentQuantile(kPower, df)) * *error;
}

}  // namespace

std::optional<double> SignFlipPValue(std::span<const double> differences,
                                     const ComparisonOptions& options) {
  if (differences.size() < 2) return std::nullopt;
  std::vector<double> differ;
  for (const double d : differences) {
    if (d != 0) differ.push_back(d);  // a zero is the same with either sign
  }
  if (differ.empty()) return 1.0;
  if (differ.size() <= kExactUpTo) return ExactPValue(differ);
  if (differ.size() >= kNormalFrom) return NormalPValue(differ);
  const int64_t for_family = std::min<int64_t>(int64_t{200} * options.family_size, kMostDraws);
  return SampledPValue(differ, std::max<int64_t>(options.draws, for_family),
                       options.bootstrap.seed);
}

absl::StatusOr<Comparison> ComparePaired(const Passages& passages, std::span<const double> a,
                                         std::span<const double> b,
                                         const ComparisonOptions& options) {
  KVSCOPE_ASSIGN_OR_RETURN(const RatioSums sums, SumDifferenceByPassage(passages, a, b));
  Comparison comparison;
  comparison.left_out = sums.left_out;
  comparison.questions = static_cast<int64_t>(a.size()) - sums.left_out;
  comparison.difference = RatioEstimate(sums, options.bootstrap);
  if (comparison.questions == 0) comparison.difference.note = "no question that both answered";
  std::vector<double> differences;
  for (size_t g = 0; g < sums.numerators.size(); ++g) {
    if (sums.denominators[g] > 0) differences.push_back(sums.numerators[g]);
  }
  comparison.p_value = SignFlipPValue(differences, options);
  comparison.minimum_detectable =
      MinimumDetectable(StandardError(sums), comparison.difference.passages, kAlpha);
  return comparison;
}

std::vector<std::optional<double>> Holm(std::span<const std::optional<double>> p_values) {
  std::vector<size_t> order;
  for (size_t i = 0; i < p_values.size(); ++i) {
    if (p_values[i]) order.push_back(i);
  }
  std::sort(order.begin(), order.end(),
            [&](size_t i, size_t j) { return *p_values[i] < *p_values[j]; });
  std::vector<std::optional<double>> adjusted(p_values.size());
  double largest = 0;
  for (size_t k = 0; k < order.size(); ++k) {
    const double p = *p_values[order[k]] * static_cast<double>(order.size() - k);
    largest = std::max(largest, std::min(p, 1.0));
    adjusted[order[k]] = largest;
  }
  return adjusted;
}

void CorrectFamily(std::span<Comparison> family) {
  std::vector<std::optional<double>> p_values;
  for (const Comparison& comparison : family) p_values.push_back(comparison.p_value);
  const std::vector<std::optional<double>> adjusted = Holm(p_values);
  const int64_t tests =
      std::count_if(p_values.begin(), p_values.end(), [](const auto& p) { return p.has_value(); });
  for (size_t i = 0; i < family.size(); ++i) {
    Comparison& comparison = family[i];
    comparison.adjusted_p_value = adjusted[i];
    if (!comparison.minimum_detectable) continue;
    const double df = comparison.difference.passages - 1;
    const double error = *comparison.minimum_detectable /
                         (StudentQuantile(1 - kAlpha / 2, df) + StudentQuantile(kPower, df));
    comparison.minimum_detectable_family = MinimumDetectable(error, comparison.difference.passages,
                                                             kAlpha / static_cast<double>(tests));
  }
}

}  // namespace kvscope::metrics
