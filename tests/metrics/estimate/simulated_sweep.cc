#include "tests/metrics/estimate/simulated_sweep.h"

#include <cmath>

#include "services/metrics/estimate/distributions.h"

namespace kvscope::metrics {
namespace {

constexpr double kFractions[] = {0.4, 0.5, 2.0 / 3, 0.8};
constexpr double kWholeShare = 0.7;  // of right answers with an F1 of 1

double Uniform(Random& random) {
  return (static_cast<double>(random.Next() >> 11) + 0.5) * 0x1p-53;
}

double Normal(Random& random) { return NormalQuantile(Uniform(random)); }

// mu, so that E Phi(mu + spread z) = rate.
double Location(double rate, double spread) {
  return NormalQuantile(rate) * std::sqrt(1 + spread * spread);
}

double ValueOfRight(ValueKind kind, Random& random) {
  if (kind == ValueKind::kOutcome || Uniform(random) < kWholeShare) return 1;
  return kFractions[random.Below(4)];
}

}  // namespace

SimulatedSweep Simulate(const SweepShape& shape, const std::vector<double>& rates, double shared,
                        Random& random) {
  SimulatedSweep sweep;
  sweep.passages = shape.passages;
  sweep.arms.resize(rates.size());
  std::vector<double> location, chance(rates.size());
  for (const double rate : rates) location.push_back(Location(rate, shape.spread));
  for (int g = 0; g < shape.passages; ++g) {
    const double z = Normal(random);
    for (size_t arm = 0; arm < rates.size(); ++arm) {
      chance[arm] = NormalCdf(location[arm] + shape.spread * z);
    }
    const int questions = shape.fewest + random.Below(shape.most - shape.fewest + 1);
    for (int q = 0; q < questions; ++q) {
      sweep.passage.push_back(g);
      const bool same = Uniform(random) < shared;
      const double luck = Uniform(random), value = ValueOfRight(shape.kind, random);
      for (size_t arm = 0; arm < rates.size(); ++arm) {
        const double own = same ? luck : Uniform(random);
        const double right = same ? value : ValueOfRight(shape.kind, random);
        sweep.arms[arm].push_back(own < chance[arm] ? right : 0);
      }
    }
  }
  return sweep;
}

double TrueMean(ValueKind kind, double rate) {
  if (kind == ValueKind::kOutcome) return rate;
  double fraction = 0;
  for (const double f : kFractions) fraction += f / 4;
  return rate * (kWholeShare + (1 - kWholeShare) * fraction);
}

SimulatedPairs SimulatePairs(const SweepShape& shape, double evicted, double effect,
                             Random& random) {
  SimulatedPairs pairs;
  pairs.passages = shape.passages;
  const double location = Location(evicted, shape.spread);
  for (int g = 0; g < shape.passages; ++g) {
    const double z = Normal(random), difficulty = shape.spread * Normal(random);
    const int questions = shape.fewest + random.Below(shape.most - shape.fewest + 1);
    for (int q = 0; q < questions; ++q) {
      const bool all = Uniform(random) < NormalCdf(location + shape.spread * z);
      const double ger = all ? 1 : Uniform(random) < 0.6 ? 0 : random.Below(4) / 4.0;
      const double chance = NormalCdf(-1 + effect * ger + difficulty);
      pairs.passage.push_back(g);
      pairs.ger.push_back(ger);
      pairs.hallucination.push_back(Uniform(random) < chance ? 1 : 0);
    }
  }
  return pairs;
}

}  // namespace kvscope::metrics
