// Why answers fail: erasure (the answer's tokens were evicted everywhere) or rigidity (they
// survived somewhere and still were not used).
//
//   Pr(F) = Pr(F|E) Pr(E) + Pr(F|not E) Pr(not E)
//
// F: the outcome is not `correct`.  E: every token of the gold answer is globally evicted, ger = 1.
// The first term is erasure, the second rigidity; their shares of Pr(F) sum to 1.  Answers without
// a GER (the answer does not occur in the passage) are left out and counted.
//
// Baseline: a question that fails without compression too has not failed for either reason,
// although the formula counts it as rigidity (or erasure).  Where the same question's answer at
// ratio 0 is known, `excess_rate` is Pr(F) minus the failure rate there, and `new_*` split only the
// failures that were correct at ratio 0.
//
// Source: arXiv:2603.01426, section on metrics.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "services/metrics/estimate/estimate.h"
#include "services/metrics/estimate/passages.h"

namespace kvscope::metrics {

enum class Failed : int8_t { kUnknown = -1, kNo = 0, kYes = 1 };

// One cell's answers; columns of equal length.  Owns nothing.
struct FailureColumns {
  Passages passages;
  std::span<const Failed> failed;               // kUnknown: no answer, left out
  std::span<const double> ger;                  // NaN = undefined
  std::span<const double> consensus;            // NaN = undefined; empty: not captured
  std::span<const Failed> failed_uncompressed;  // the same question at ratio 0; empty: not run
};

// How the rigidity share of the failures moves with consensus (low = heads agree).
struct RigidityByConsensus {
  struct Tercile {
    double low = 0, high = 0;  // of the failures' consensus
    int64_t failures = 0;
    Estimate rigidity_share;
  };
  std::vector<Tercile> terciles;  // lowest consensus first; fewer than three where values tie
  // Slope of a straight line through (consensus, 1 if rigidity else 0) over the failures: change of
  // the share per unit of consensus.  BCa over passages.
  Estimate slope;
};

struct Decomposition {
  int64_t answers = 0;      // with an outcome and a GER
  int64_t without_ger = 0;  // left out
  int64_t failures = 0;
  int64_t evicted = 0;           // answers with ger = 1
  int64_t evicted_failures = 0;  // of these the failures

  Estimate failure_rate;           // Pr(F)
  Estimate evicted_rate;           // Pr(E)
  Estimate failure_given_evicted;  // Pr(F|E), null without an evicted answer
  Estimate failure_given_kept;     // Pr(F|not E)
  Estimate erasure;                // Pr(F|E) Pr(E) = Pr(F and E)
  Estimate rigidity;               // Pr(F and not E)
  Estimate erasure_share;          // of the failures; null without any
  Estimate rigidity_share;

  int64_t paired = 0;  // answers whose question's outcome at ratio 0 is known
  int64_t new_failures = 0;
  Estimate uncompressed_failure_rate;  // of the paired answers
  Estimate excess_rate;                // Pr(F) - that, over the paired answers
  Estimate new_failure_rate;           // failed now, correct at ratio 0
  Estimate new_erasure_share;          // of the new failures
  Estimate new_rigidity_share;

  RigidityByConsensus by_consensus;
};

// Null estimates carry a note.  Errors: InvalidArgument, naming the column, if a length differs or
// a passage is outside its range.  O(answers log answers + draws * passages).
absl::StatusOr<Decomposition> Decompose(const FailureColumns& cell,
                                        const BootstrapOptions& options = {});

}  // namespace kvscope::metrics
