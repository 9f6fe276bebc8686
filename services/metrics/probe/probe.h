// A linear probe: how well softmax regression tells the gold answer's type from hidden states, on
// passages that it was not fitted on.
// Source: arXiv:2603.01426, algorithm 2. Our reading: the split is by passage and stratified by
// tag, and scores come with intervals by bootstrap clustered by passage.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "services/metrics/probe/f1_score.h"
#include "services/metrics/probe/feature_source.h"
#include "services/metrics/probe/softmax_regression.h"
#include "services/metrics/probe/split.h"

namespace kvscope::metrics {

struct ProbeOptions {
  SoftmaxOptions softmax = {};
  double train_share = 0.7;  // of the rows, in (0, 1)
  uint64_t seed = 0;         // of the split and the intervals
  int min_tag_rows = 5;      // a tag with fewer rows is left out
  int bootstrap_draws = 1000;
  int64_t in_memory_bytes = 256 << 20;  // features up to this size are read only once
};

// What each row of the features is.
struct ProbeRows {
  std::vector<std::string> tags;  // the gold answer's type; empty: not tagged, the row is left out
  std::vector<std::string> passages;
};

struct ProbeTag {
  std::string tag;
  std::optional<ScoreInterval> f1;  // null: `note` says why
  int64_t train_count = 0;          // rows
  int64_t validation_count = 0;
  std::string note;
};

// What can be told from the rows alone: the same for all layers of a cell.
struct ProbePlan {
  std::vector<ProbeTag> tags;  // all that occur, sorted; one that is left out has a note
  std::vector<int> fitted;     // positions in `tags` of those that are not: the classes
  std::vector<int> classes;    // of each row; -1: it is left out
  Split split;
  std::string note;  // why nothing can be fitted; empty: it can
};

// Leaves a tag out that has fewer than min_tag_rows rows or a single passage, or that the split
// leaves on one side. Without two tags there is nothing to fit.
// Errors: InvalidArgument (options out of their range).
absl::StatusOr<ProbePlan> PlanProbe(const ProbeRows& rows, const ProbeOptions& options);

struct ProbeFit {
  // Over the fitted tags; null: `note` says why. A note beside a value says what it leaves out.
  std::optional<ScoreInterval> macro_f1;
  std::vector<ProbeTag> tags;  // all that occur, sorted
  int64_t train_count = 0;     // rows
  int64_t validation_count = 0;
  int64_t train_passages = 0;
  int64_t validation_passages = 0;
  int evaluations = 0;  // passes over the training rows
  std::string note;
};

// `features` has `rows`' rows, for which `plan` was made. A feature that is not finite makes a
// note. Errors: InvalidArgument (options out of their range), those of `features`.
absl::StatusOr<ProbeFit> FitProbe(const FeatureSource& features, const ProbeRows& rows,
                                  const ProbePlan& plan, const ProbeOptions& options);

}  // namespace kvscope::metrics
