// F1 of a classifier, by class and over all, with intervals.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace kvscope::metrics {

// A share in [0, 1] with its 95 % interval, which is not there where it cannot be told.
struct ScoreInterval {
  double value = 0;
  std::optional<double> low, high;
};

struct F1Scores {
  // Mean over the classes that occur in truth or prediction; null without a row.
  std::optional<ScoreInterval> macro;
  // [classes] 2 tp / (2 tp + fp + fn); null for a class that occurs in neither.
  std::vector<std::optional<ScoreInterval>> classes;
};

struct ClusterBootstrap {
  int draws = 1000;  // 0: no intervals
  uint64_t seed = 0;
};

// `truth`, `predictions` and `clusters` have one number a row; the first two are below `classes`,
// clusters are numbered from 0 on without a gap. An interval is the middle 95 % of the value over
// `draws` samples of whole clusters, drawn with replacement, as many as there are. A sample in
// which a class does not occur says nothing of it (at most 37 % of them do not have the class).
// With fewer than two clusters there is no interval. The same seed draws the same everywhere.
F1Scores ScoreF1(std::span<const int> truth, std::span<const int> predictions, int classes,
                 std::span<const int> clusters, const ClusterBootstrap& bootstrap = {});

}  // namespace kvscope::metrics
