// UnitSize: how much work one unit holds.
#pragma once

#include <cstdint>
#include <string>

#include "services/orchestrator/schedule/sweep_plan.h"

namespace kvscope::orchestrator {

// The rule. A unit is to take a few seconds up to a minute on a small machine: long enough that
// leasing and one fsync do not count, short enough that a lost worker costs little and that
// progress moves. So a unit takes passages until the next would exceed
//   kUnitFlops of estimated arithmetic (10 s at 100 GFLOP/s, what two CPU cores sustain),
//   kUnitStreams streams (about 4 MB of results),
//   kUnitBytes of passages (a lease is one message of at most 1 MiB), or
//   a kMinUnits-th of all the sweep's passages, so that several workers can share a small sweep (of
//     each model by itself, so that a sweep of one model has the same units);
// but at least one passage. Estimated: a token costs 2 operations a parameter, and 4 a
// (layer, query head, dimension) for every position it attends to.
inline constexpr double kUnitFlops = 1e12;
inline constexpr int64_t kUnitStreams = 4000;
inline constexpr int64_t kUnitBytes = 900 << 10;
inline constexpr int64_t kMinUnits = 8;

class UnitSize {
 public:
  // `passages`: of the sweep's data sets together.
  UnitSize(const SweepPlan& plan, int64_t passages);

  // Streams of a passage: press × ratio × question.
  int64_t Streams(int64_t questions) const { return grid_ * questions; }

  // Whether a passage must start a new unit, given what the present one holds. Then it is counted.
  bool StartsUnit(const std::string& regime, int64_t questions, int64_t bytes);
  void Reset() { passages_ = 0; }  // the present unit is empty again: another data set begins

 private:
  int64_t grid_;
  int64_t max_passages_;
  double prefill_flops_;  // of a mean passage
  double stream_flops_;

  int64_t passages_ = 0;  // of the present unit, as are all below
  int64_t streams_ = 0;
  int64_t bytes_ = 0;
  double flops_ = 0;
};

}  // namespace kvscope::orchestrator
