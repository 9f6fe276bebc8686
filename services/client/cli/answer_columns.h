// The answers of some cells as the columns that metrics/estimate takes.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "services/client/cli/sweep_answers.h"
#include "services/metrics/estimate/decomposition.h"
#include "services/metrics/estimate/estimate.h"
#include "services/metrics/estimate/passages.h"

namespace kvscope::cli {

// Anything but a correct answer has failed.
metrics::Failed FailedOf(const AnswerPoint& answer);

// Calls `take` with each answer of `cell` and that of `other` to the same question, or null. Both
// are cells of one part.
void ForEachPair(const CellAnswers& cell, const CellAnswers& other,
                 const std::function<void(const AnswerPoint&, const AnswerPoint*)>& take);

// Columns of equal length, one value an answer; NaN: not defined for it.
struct AnswerColumns {
  std::vector<int32_t> passage;
  std::vector<double> ratio, f1, hallucinated, unknown, ger, consensus;
  std::vector<metrics::Failed> failed;
  int32_t passage_count = 0;

  // `first_passage`: number of the cell's passage 0 here.
  void Add(const CellAnswers& cell, double ratio, int32_t first_passage = 0);
  metrics::Passages passages() const { return {.of_answer = passage, .count = passage_count}; }
};

// Calls `work` with 0 .. count - 1, on all cores. Shows a bar if it takes more than a second;
// `what` is counted there, such as "intervals".
void ForEachInParallel(size_t count, const std::string& what,
                       const std::function<void(size_t)>& work);

// The interval where it has both ends.
std::optional<std::pair<double, double>> IntervalOf(const metrics::Estimate& estimate);

}  // namespace kvscope::cli
