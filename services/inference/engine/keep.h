// The keep sets of a grid: one for each (press, ratio), equal ones stored once.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "services/inference/engine/score.h"
#include "services/inference/flow/keep_set.h"
#include "services/inference/presses/press.h"

namespace kvscope::inference {

struct GridKeepSets {
  std::vector<KeepSet> distinct;
  std::vector<size_t> set_of_cell;  // [presses, ratios] index into `distinct`
};

// Ratio 0 keeps everything, whatever the press. Errors: Internal if a cell kept no pair at all (an
// empty cache is never silent); single heads may be empty (KeepSet::empty_heads).
absl::StatusOr<GridKeepSets> CutKeepSets(std::span<const Press> presses,
                                         std::span<const double> ratios, const GridScores& scores);

}  // namespace kvscope::inference
