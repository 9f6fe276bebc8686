#include "services/metrics/probe/lbfgs.h"

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <deque>
#include <utility>

#include "services/status_macros.h"

namespace kvscope::metrics {
namespace {

using Vector = Eigen::Map<const Eigen::VectorXd>;
using MutableVector = Eigen::Map<Eigen::VectorXd>;

Vector View(const std::vector<double>& x) {
  return {x.data(), static_cast<Eigen::Index>(x.size())};
}

// A point with the function's value and gradient there.
struct Point {
  std::vector<double> x;
  std::vector<double> gradient;
  double value = 0;

  double gradient_max() const {
    return gradient.empty() ? 0 : View(gradient).lpNorm<Eigen::Infinity>();
  }
};

// The last steps and the changes of the gradient along them.
class History {
 public:
  explicit History(int limit) : limit_(limit) {}

  void Add(const Point& from, const Point& to) {
    Pair pair{View(to.x) - View(from.x), View(to.gradient) - View(from.gradient), 0};
    const double curvature = pair.step.dot(pair.change);
    if (!(curvature > 0)) return;  // rounding: it would spoil the rest
    pair.inverse_curvature = 1 / curvature;
    if (static_cast<int>(pairs_.size()) == limit_) pairs_.pop_front();
    pairs_.push_back(std::move(pair));
  }

  void Clear() { pairs_.clear(); }
  bool empty() const { return pairs_.empty(); }

  // - H g, where H approximates the inverse of the Hessian (the two-loop recursion).
  Eigen::VectorXd Direction(const std::vector<double>& gradient) const {
    Eigen::VectorXd direction = -View(gradient);
    if (pairs_.empty()) return direction / std::max(1.0, direction.norm());
    std::vector<double> alpha(pairs_.size());
    for (size_t i = pairs_.size(); i-- > 0;) {
      alpha[i] = pairs_[i].inverse_curvature * pairs_[i].step.dot(direction);
      direction -= alpha[i] * pairs_[i].change;
    }
    const Pair& last = pairs_.back();
    direction /= last.inverse_curvature * last.change.squaredNorm();
    for (size_t i = 0; i < pairs_.size(); ++i) {
      const double beta = pairs_[i].inverse_curvature * pairs_[i].change.dot(direction);
      direction += (alpha[i] - beta) * pairs_[i].step;
    }
    return direction;
  }

 private:
  struct Pair {
    Eigen::VectorXd step, change;
    double inverse_curvature;
  };
  int limit_;
  std::deque<Pair> pairs_;
};

// The steps between which a good one lies.
class Bracket {
 public:
  // What to try after `step`, where the slope was `slope`; `too_far` says on which side it lies.
  double Next(double step, double slope, bool too_far) {
    (too_far ? high_ : low_) = {step, slope};
    has_high_ |= too_far;
    if (!has_high_) return step * 4;
    const double width = high_.step - low_.step;
    const double rise = high_.slope - low_.slope;
    // The slope of a convex function rises: where it crosses 0, if it were straight.
    const double crossing = rise > 0 ? -low_.slope / rise : 0.5;
    return low_.step + width * std::clamp(crossing, 0.1, 0.9);
  }
  void Start(double slope) { low_ = {0, slope}; }

 private:
  struct End {
    double step = 0;
    double slope = 0;
  };
  End low_, high_;
  bool has_high_ = false;
};

enum class Search { kFound, kFailed };

// Finds a point from `from` along `direction` whose slope has fallen enough.
absl::StatusOr<Search> SearchLine(const Objective& objective, const LbfgsOptions& options,
                                  const Point& from, const Eigen::VectorXd& direction, Point* to,
                                  int* evaluations) {
  constexpr double kSteepest = 0.9, kHighest = 0.8;  // of the slope at the start
  constexpr int kTries = 40;
  const double start = View(from.gradient).dot(direction);
  if (!(start < 0)) return Search::kFailed;
  const double rounding = 1e-12 * std::max(1.0, std::abs(from.value));
  Bracket bracket;
  bracket.Start(start);
  double step = 1;
  for (int tries = 0; tries < kTries && *evaluations < options.max_evaluations; ++tries) {
    MutableVector(to->x.data(), direction.size()) = View(from.x) + step * direction;
    KVSCOPE_ASSIGN_OR_RETURN(to->value, objective(to->x, &to->gradient));
    ++*evaluations;
    const double slope = View(to->gradient).dot(direction);
    const bool too_far = !(slope <= -kHighest * start && to->value <= from.value + rounding);
    if (!too_far && slope >= kSteepest * start) return Search::kFound;
    step = bracket.Next(step, slope, too_far);
  }
  return Search::kFailed;
}

}  // namespace

absl::StatusOr<LbfgsResult> MinimizeLbfgs(const Objective& objective, std::vector<double> start,
                                          const LbfgsOptions& options) {
  const size_t size = start.size();
  Point at{std::move(start), std::vector<double>(size), 0};
  Point next{std::vector<double>(size), std::vector<double>(size), 0};
  KVSCOPE_ASSIGN_OR_RETURN(at.value, objective(at.x, &at.gradient));
  int evaluations = 1;
  History history(options.history);
  while (at.gradient_max() > options.gradient_tolerance) {
    KVSCOPE_ASSIGN_OR_RETURN(
        const Search search,
        SearchLine(objective, options, at, history.Direction(at.gradient), &next, &evaluations));
    if (search == Search::kFailed) {
      if (history.empty() || evaluations >= options.max_evaluations) break;
      history.Clear();  // once more, straight down
      continue;
    }
    history.Add(at, next);
    std::swap(at, next);
  }
  const double gradient_max = at.gradient_max();
  return LbfgsResult{std::move(at.x), at.value, gradient_max, evaluations,
                     gradient_max <= options.gradient_tolerance};
}

}  // namespace kvscope::metrics
