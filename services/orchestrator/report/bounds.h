// Numbers with the ends between which they are taken to lie, and what findings do with them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>

#include "services/orchestrator/report/report.h"

namespace kvscope::orchestrator {

// low <= value <= high, all finite.
struct Bounds {
  double value = 0;
  double low = 0;
  double high = 0;
  bool measured = true;  // false: some end is no interval's but the margin below
};

// A share or F1 without an interval is taken to lie within kPlainMargin of the truth, or, of fewer
// than kFewestAnswers answers, anywhere in [0, 1].
inline constexpr double kPlainMargin = 0.05;
inline constexpr int64_t kFewestAnswers = 100;
// An uncompressed F1 below this has nothing to lose: what it retains is not told.
inline constexpr double kSmallestF1 = 0.1;
// What is retained is averaged over the ratios from kFirstRatio to kLastRatio, the paper's, and
// told from kFewestRatios of them on.
inline constexpr double kFirstRatio = 0.1;
inline constexpr double kLastRatio = 0.9;
inline constexpr size_t kFewestRatios = 3;
// Ratios that differ by less are one.
inline constexpr double kSameRatio = 1e-6;

// Of a share; null if it is not finite.  An interval that is not finite counts as none.
std::optional<Bounds> BoundsOf(double share, const std::optional<ReportInterval>& interval,
                               int64_t answers);

// a - b.  The ends' distances add in squares (Zou and Donner 2008), which assumes independence: of
// answers to the same passages, which mostly agree, the ends are too far apart rather than too
// near.
Bounds Difference(const Bounds& a, const Bounds& b);

// now / full with the worst ends of both; null if full is below kSmallestF1 or may be 0.
std::optional<Bounds> Retained(const Bounds& now, const Bounds& full);

// Distances of the ends add in squares where the numbers are independent (different passages), else
// plainly.  Null of nothing.
enum class Dependence { kIndependent, kAnything };
std::optional<Bounds> Mean(std::span<const Bounds> numbers, Dependence dependence);

using F1Curve = std::map<double, Bounds>;  // by ratio

// From rows by ratio (ReportRow or ReportTagRow); without the F1 that are not finite.
template <typename Row>
F1Curve CurveOf(const std::map<double, const Row*>& rows) {
  F1Curve curve;
  for (const auto& [ratio, row] : rows) {
    if (const auto f1 = BoundsOf(row->f1, row->f1_interval, row->answers)) curve[ratio] = *f1;
  }
  return curve;
}

// The entry whose ratio is nearest to `ratio` and at most `reach` away; of equally near ones the
// lower.  Null without one.
template <typename Value>
const typename std::map<double, Value>::value_type* Nearest(const std::map<double, Value>& by_ratio,
                                                            double ratio,
                                                            double reach = kSameRatio) {
  const typename std::map<double, Value>::value_type* nearest = nullptr;
  const auto distance = [&](double other) { return other < ratio ? ratio - other : other - ratio; };
  for (const auto& entry : by_ratio) {
    if (distance(entry.first) > reach + kSameRatio) continue;
    if (!nearest || distance(entry.first) < distance(nearest->first) - kSameRatio) nearest = &entry;
  }
  return nearest;
}

// The ratios from kFirstRatio to kLastRatio that both curves have.
std::set<double> SharedRatios(const F1Curve& a, const F1Curve& b);

// What the curve retains of its F1 at ratio 0, on average over `ratios`.  Null with fewer than
// kFewestRatios, one of them missing, no ratio 0, or as Retained.
std::optional<Bounds> MeanRetained(const F1Curve& curve, const std::set<double>& ratios);

// "0.93 (0.91 to 0.95)", or "0.93 (no interval)" where it is not measured.
std::string BoundsText(const Bounds& bounds);
std::string RatioText(double ratio);  // "0.9"

}  // namespace kvscope::orchestrator
