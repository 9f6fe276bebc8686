// Which rows a probe learns from, and on which it is tried.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace kvscope::metrics {

// Rows, ascending; no passage has rows in both.
struct Split {
  std::vector<int64_t> train;
  std::vector<int64_t> validation;
};

// Gives each passage to one side, so that of every label about `train_share` of the rows are for
// training: in an order that `seed` draws, to the side that leaves the shares closest to it (each
// label counts the same, however rare; ties go to training). A label of two passages or more is
// on both sides, unless another label stands against it.
// `labels` and `passages` have one entry a row; a row with label -1 is on neither side. Which side
// a passage is on does not depend on the order of the rows, and is the same on every machine.
Split SplitByPassage(std::span<const int> labels, std::span<const std::string> passages,
                     double train_share, uint64_t seed);

}  // namespace kvscope::metrics
