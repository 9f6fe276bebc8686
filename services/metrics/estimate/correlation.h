// Does hallucination follow eviction?  Pearson's and Spearman's correlation with intervals, of
// plain pairs, of answers (clustered by passage) and of cells (means over passages).
//
// All intervals are made on Fisher's scale z = atanh(r), or by BCa, and so stay within [-1, 1].
// Ties: average ranks.  Fewer than four pairs, or one side without variation: null, with a note.
#pragma once

#include <span>
#include <vector>

#include "services/metrics/estimate/estimate.h"
#include "services/metrics/estimate/passages.h"

namespace kvscope::metrics {

enum class CorrelationKind { kPearson, kSpearman };

// Of independent pairs: z +- z(0.975) se with se = 1 / sqrt(n - 3) (Pearson, Fisher 1921), or
// sqrt((1 + r^2 / 2) / (n - 3)) (Spearman, Bonett and Wright 2000).  Pairs with a NaN are left out.
// `passages` of the estimate is the number of pairs.
// Errors: InvalidArgument if the lists differ in length.
absl::StatusOr<Estimate> CorrelatePairs(std::span<const double> x, std::span<const double> y,
                                        CorrelationKind kind, double confidence = 0.95);

// Of answers.  Pearson: symmetric bootstrap-t over passages on z, standard error by the influence
// function summed within passages, never narrower than Student's t.  Spearman: z +- t(G-1) se, the
// influence function of average ranks (that ranks are estimated is in it), O(answers log answers).
// Holds (93.5-96.5 %) from 30 passages of 4 to 16 questions where each side varies in at least
// about 20 answers; below that (a rate of 0.1 with 120 answers) 87-92 %.
// Errors: as CheckColumn.
absl::StatusOr<Estimate> CorrelateAnswers(const Passages& passages, std::span<const double> x,
                                          std::span<const double> y, CorrelationKind kind,
                                          const BootstrapOptions& options = {});

// Of cells: x and y are averaged over each cell's answers, and the cells are correlated.  `cell`:
// one an answer, in [0, cells).  Cells of one sweep share their passages, so that the interval is
// by bootstrap over passages (BCa): these presses and ratios, other passages.  With few passages
// the noise of the means draws the correlation towards 0.  Cells without an x or a y are left out.
// Errors: as CheckColumn, a cell outside [0, cells), or more than 100,000 cells.
// O(draws * passages * cells of a passage), where a data set's cells have neighbouring numbers.
struct CellCorrelation {
  Estimate pearson;
  Estimate spearman;
  int32_t cells = 0;  // with an x and a y
};
absl::StatusOr<CellCorrelation> CorrelateCells(const Passages& passages,
                                               std::span<const int32_t> cell, int32_t cells,
                                               std::span<const double> x, std::span<const double> y,
                                               const BootstrapOptions& options = {});

}  // namespace kvscope::metrics
