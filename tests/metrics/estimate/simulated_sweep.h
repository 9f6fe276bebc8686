// Sweeps whose true numbers are known: passages with a common difficulty, questions within them.
#pragma once

#include <cstdint>
#include <vector>

#include "services/metrics/estimate/passages.h"
#include "services/metrics/estimate/random.h"

namespace kvscope::metrics {

enum class ValueKind { kOutcome, kF1 };  // 0 or 1; 0, 1 or a fraction

// `passages` passages of fewest..most questions.  A passage's difficulty z is normal with deviation
// `spread`; an answer is right with probability Phi(mu + spread z), mu such that the mean over
// passages is the arm's rate.  A spread of 0.5 correlates the answers of a passage by 0.05 (rate
// 0.03) to 0.12 (0.3), 1.0 by 0.17 to 0.33.
struct SweepShape {
  int passages;
  int fewest, most;
  double spread;
  ValueKind kind = ValueKind::kOutcome;
};

// Columns of one sweep, an entry an answer.
struct SimulatedSweep {
  std::vector<int32_t> passage;
  int32_t passages = 0;
  std::vector<std::vector<double>> arms;  // [rates][answers]

  Passages ids() const { return {passage, passages}; }
};

// One arm a rate.  With probability `shared` an answer of every arm hangs on the same luck, as it
// does where presses differ little; else each arm draws its own.
SimulatedSweep Simulate(const SweepShape& shape, const std::vector<double>& rates, double shared,
                        Random& random);

// The true mean of an arm.
double TrueMean(ValueKind kind, double rate);

// Answers with a GER of 0, 1/4 ... 1 and a hallucination (0 or 1) that follows it.
struct SimulatedPairs {
  std::vector<int32_t> passage;
  int32_t passages = 0;
  std::vector<double> ger, hallucination;

  Passages ids() const { return {passage, passages}; }
};
SimulatedPairs SimulatePairs(const SweepShape& shape, double evicted, double effect,
                             Random& random);

}  // namespace kvscope::metrics
