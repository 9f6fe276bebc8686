#include "services/metrics/estimate/decomposition.h"

#include <algorithm>
#include <limits>

#include "services/metrics/estimate/bootstrap_ratio.h"
#include "services/metrics/estimate/bootstrap_statistic.h"
#include "services/status_macros.h"

namespace kvscope::metrics {
namespace {

constexpr double kAllEvicted = 1 - 1e-9;

// One answer that counts.
struct Answer {
  int32_t passage;
  bool failed, evicted;
  Failed before;     // without compression
  double consensus;  // NaN = undefined
};

absl::Status CheckColumns(const FailureColumns& cell) {
  KVSCOPE_RETURN_IF_ERROR(CheckColumn(cell.passages, "failed", cell.failed.size()));
  KVSCOPE_RETURN_IF_ERROR(CheckColumn(cell.passages, "ger", cell.ger.size()));
  if (!cell.consensus.empty()) {
    KVSCOPE_RETURN_IF_ERROR(CheckColumn(cell.passages, "consensus", cell.consensus.size()));
  }
  if (!cell.failed_uncompressed.empty()) {
    KVSCOPE_RETURN_IF_ERROR(
        CheckColumn(cell.passages, "failed_uncompressed", cell.failed_uncompressed.size()));
  }
  return absl::OkStatus();
}

std::vector<Answer> Counted(const FailureColumns& cell, Decomposition& result) {
  std::vector<Answer> answers;
  for (size_t i = 0; i < cell.failed.size(); ++i) {
    if (cell.failed[i] == Failed::kUnknown) continue;
    if (!IsValue(cell.ger[i])) {
      ++result.without_ger;
      continue;
    }
    answers.push_back(
        {cell.passages.of_answer[i], cell.failed[i] == Failed::kYes, cell.ger[i] >= kAllEvicted,
         cell.failed_uncompressed.empty() ? Failed::kUnknown : cell.failed_uncompressed[i],
         cell.consensus.empty() ? std::numeric_limits<double>::quiet_NaN() : cell.consensus[i]});
  }
  return answers;
}

// The share of answers with `part` among those with `whole`.
template <typename Part, typename Whole>
Estimate Share(const std::vector<Answer>& answers, int32_t passages, Part part, Whole whole,
               absl::string_view none, const BootstrapOptions& options) {
  RatioSums sums;
  sums.numerators.resize(passages);
  sums.denominators.resize(passages);
  for (const Answer& answer : answers) {
    if (!whole(answer)) continue;
    sums.denominators[answer.passage] += 1;
    if (part(answer)) sums.numerators[answer.passage] += 1;
  }
  Estimate estimate = ShareEstimate(sums, options);
  if (!estimate.value) estimate.note = std::string(none);
  return estimate;
}

bool IsFailed(const Answer& answer) { return answer.failed; }
bool IsEvicted(const Answer& answer) { return answer.evicted; }
bool IsKept(const Answer& answer) { return !answer.evicted; }
bool IsErased(const Answer& answer) { return answer.failed && answer.evicted; }
bool IsRigid(const Answer& answer) { return answer.failed && !answer.evicted; }
bool IsPaired(const Answer& answer) { return answer.before != Failed::kUnknown; }
bool FailedBefore(const Answer& answer) { return answer.before == Failed::kYes; }
bool IsNew(const Answer& answer) { return answer.failed && answer.before == Failed::kNo; }
bool Any(const Answer&) { return true; }

void SetBaseline(const std::vector<Answer>& answers, int32_t passages,
                 const BootstrapOptions& options, Decomposition& result) {
  result.paired = std::count_if(answers.begin(), answers.end(), IsPaired);
  result.new_failures = std::count_if(answers.begin(), answers.end(), IsNew);
  constexpr absl::string_view kNotRun = "no answer at ratio 0 to compare with";
  const absl::string_view none = result.paired > 0 ? "no new failures" : kNotRun;
  const auto share = [&](auto part, auto whole, absl::string_view note) {
    return Share(answers, passages, part, whole, note, options);
  };
  result.uncompressed_failure_rate = share(FailedBefore, IsPaired, kNotRun);
  result.new_failure_rate = share(IsNew, IsPaired, kNotRun);
  result.new_erasure_share = share(IsEvicted, IsNew, none);
  result.new_rigidity_share = share(IsKept, IsNew, none);
  RatioSums excess;
  excess.numerators.resize(passages);
  excess.denominators.resize(passages);
  for (const Answer& answer : answers) {
    if (!IsPaired(answer)) continue;
    excess.denominators[answer.passage] += 1;
    excess.numerators[answer.passage] +=
        static_cast<double>(answer.failed) - static_cast<double>(FailedBefore(answer));
  }
  result.excess_rate = RatioEstimate(excess, options);
  if (!result.excess_rate.value) result.excess_rate.note = std::string(kNotRun);
}

// Failures with a consensus, in its order.
std::vector<Answer> FailuresByConsensus(const std::vector<Answer>& answers) {
  std::vector<Answer> failures;
  for (const Answer& answer : answers) {
    if (answer.failed && IsValue(answer.consensus)) failures.push_back(answer);
  }
  std::stable_sort(failures.begin(), failures.end(),
                   [](const Answer& a, const Answer& b) { return a.consensus < b.consensus; });
  return failures;
}

void SetTerciles(const std::vector<Answer>& failures, int32_t passages,
                 const BootstrapOptions& options, RigidityByConsensus& result) {
  size_t begin = 0;
  for (size_t third = 1; third <= 3 && begin < failures.size(); ++third) {
    size_t end = failures.size() * third / 3;
    if (end <= begin) continue;
    // Equal values stay together.
    while (end < failures.size() && failures[end].consensus == failures[end - 1].consensus) ++end;
    const std::vector<Answer> part(failures.begin() + begin, failures.begin() + end);
    result.terciles.push_back({part.front().consensus, part.back().consensus,
                               static_cast<int64_t>(part.size()),
                               Share(part, passages, IsRigid, Any, "no failures", options)});
    begin = end;
  }
}

// Columns: n, x, x^2, y, xy over the failures, x centred.
Estimate Slope(const std::vector<Answer>& failures, int32_t passages,
               const BootstrapOptions& options) {
  double mean = 0;
  for (const Answer& answer : failures) mean += answer.consensus / failures.size();
  PassageSums sums(passages, 5);
  for (const Answer& answer : failures) {
    const double x = answer.consensus - mean, y = IsRigid(answer) ? 1 : 0;
    const std::span<double> row = sums.row(answer.passage);
    row[0] += 1;
    row[1] += x;
    row[2] += x * x;
    row[3] += y;
    row[4] += x * y;
  }
  return EstimateStatistics(
             sums, 1,
             [](std::span<const double> totals, std::span<double> results) {
               const double n = totals[0], xx = totals[2] / n - totals[1] / n * totals[1] / n;
               const double xy = totals[4] / n - totals[1] / n * totals[3] / n;
               results[0] =
                   n > 1.5 && xx > 1e-12 ? xy / xx : std::numeric_limits<double>::quiet_NaN();
             },
             options)
      .front();
}

void SetByConsensus(const std::vector<Answer>& answers, int32_t passages,
                    const BootstrapOptions& options, RigidityByConsensus& result) {
  const std::vector<Answer> failures = FailuresByConsensus(answers);
  if (failures.empty()) {
    result.slope.note = "no failure with a consensus";
    return;
  }
  SetTerciles(failures, passages, options, result);
  if (failures.front().consensus == failures.back().consensus) {
    result.slope.note = "all failures have one consensus: no slope";
    return;
  }
  const bool one_kind = std::all_of(failures.begin(), failures.end(), IsRigid) ||
                        std::none_of(failures.begin(), failures.end(), IsRigid);
  if (one_kind) {
    result.slope.note = "all failures are of one kind: no slope";
    return;
  }
  result.slope = Slope(failures, passages, options);
}

}  // namespace

absl::StatusOr<Decomposition> Decompose(const FailureColumns& cell,
                                        const BootstrapOptions& options) {
  KVSCOPE_RETURN_IF_ERROR(CheckColumns(cell));
  Decomposition result;
  const std::vector<Answer> answers = Counted(cell, result);
  const int32_t passages = cell.passages.count;
  result.answers = static_cast<int64_t>(answers.size());
  result.failures = std::count_if(answers.begin(), answers.end(), IsFailed);
  result.evicted = std::count_if(answers.begin(), answers.end(), IsEvicted);
  result.evicted_failures = std::count_if(answers.begin(), answers.end(), IsErased);
  constexpr absl::string_view kNone = "no answer with a GER";
  const absl::string_view no_failure = answers.empty() ? kNone : "no failures";
  const auto share = [&](auto part, auto whole, absl::string_view note) {
    return Share(answers, passages, part, whole, answers.empty() ? kNone : note, options);
  };
  result.failure_rate = share(IsFailed, Any, kNone);
  result.evicted_rate = share(IsEvicted, Any, kNone);
  result.failure_given_evicted = share(IsFailed, IsEvicted, "no answer is evicted everywhere");
  result.failure_given_kept = share(IsFailed, IsKept, "every answer is evicted everywhere");
  result.erasure = share(IsErased, Any, kNone);
  result.rigidity = share(IsRigid, Any, kNone);
  result.erasure_share = share(IsEvicted, IsFailed, no_failure);
  result.rigidity_share = share(IsKept, IsFailed, no_failure);
  SetBaseline(answers, passages, options, result);
  SetByConsensus(answers, passages, options, result.by_consensus);
  return result;
}

}  // namespace kvscope::metrics
