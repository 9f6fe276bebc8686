#include "services/metrics/probe/f1_score.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <random>

namespace kvscope::metrics {
namespace {

// What F1 is made of, for one class.
struct Counts {
  int64_t hits = 0;    // rows of the class, predicted as it
  int64_t either = 0;  // rows of the class + rows predicted as it

  Counts& operator+=(const Counts& other) {
    hits += other.hits;
    either += other.either;
    return *this;
  }
  std::optional<double> f1() const {
    if (either == 0) return std::nullopt;
    return 2 * static_cast<double>(hits) / static_cast<double>(either);
  }
};

std::optional<double> Macro(std::span<const Counts> counts) {
  double sum = 0;
  int present = 0;
  for (const Counts& count : counts) {
    if (const std::optional<double> f1 = count.f1()) {
      sum += *f1;
      ++present;
    }
  }
  if (present == 0) return std::nullopt;
  return sum / present;
}

// The `share`-quantile of sorted values, linear between neighbours.
double Quantile(std::span<const double> sorted, double share) {
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(place);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

std::optional<ScoreInterval> WithInterval(std::optional<double> value,
                                          std::vector<double>* samples) {
  if (!value) return std::nullopt;
  ScoreInterval score{*value, std::nullopt, std::nullopt};
  if (!samples->empty()) {
    std::sort(samples->begin(), samples->end());
    score.low = Quantile(*samples, 0.025);
    score.high = Quantile(*samples, 0.975);
  }
  return score;
}

}  // namespace

F1Scores ScoreF1(std::span<const int> truth, std::span<const int> predictions, int classes,
                 std::span<const int> clusters, const ClusterBootstrap& bootstrap) {
  assert(truth.size() == predictions.size() && truth.size() == clusters.size());
  const int cluster_count =
      clusters.empty() ? 0 : *std::max_element(clusters.begin(), clusters.end()) + 1;
  std::vector<std::vector<Counts>> parts(cluster_count, std::vector<Counts>(classes));
  std::vector<Counts> all(classes);
  for (size_t row = 0; row < truth.size(); ++row) {
    std::vector<Counts>& part = parts[clusters[row]];
    part[truth[row]].hits += truth[row] == predictions[row];
    part[truth[row]].either += 1;
    part[predictions[row]].either += 1;
  }
  for (const std::vector<Counts>& part : parts) {
    for (int c = 0; c < classes; ++c) all[c] += part[c];
  }

  std::vector<double> macro_samples;
  std::vector<std::vector<double>> class_samples(classes);
  std::mt19937_64 random(bootstrap.seed);
  std::vector<Counts> sample(classes);
  const int draws = cluster_count < 2 ? 0 : bootstrap.draws;
  for (int draw = 0; draw < draws; ++draw) {
    std::fill(sample.begin(), sample.end(), Counts());
    for (int i = 0; i < cluster_count; ++i) {
      // The remainder is uneven by less than one in 2^32; a distribution differs by library.
      const std::vector<Counts>& part = parts[random() % cluster_count];
      for (int c = 0; c < classes; ++c) sample[c] += part[c];
    }
    if (const std::optional<double> macro = Macro(sample)) macro_samples.push_back(*macro);
    for (int c = 0; c < classes; ++c) {
      if (const std::optional<double> f1 = sample[c].f1()) class_samples[c].push_back(*f1);
    }
  }

  F1Scores scores;
  scores.macro = WithInterval(Macro(all), &macro_samples);
  for (int c = 0; c < classes; ++c) {
    scores.classes.push_back(WithInterval(all[c].f1(), &class_samples[c]));
  }
  return scores;
}

}  // namespace kvscope::metrics
