// The evaluator on the bundled pocket model: an engine, a passage that it knows how to read, grids.
#pragma once

#include <string>
#include <vector>

#include "services/inference/engine/engine.h"

namespace kvscope::inference {

// The cpu backend in float32, loaded once.
const Engine& Pocket();

Passage ThreePeople();  // four questions; the last one's answer stands nowhere

Grid MakeGrid(const std::vector<std::string>& presses, std::vector<double> ratios);

// The records of a passage; fails the test where it is refused.
std::vector<PassageRecord> Evaluate(const Grid& grid, const Passage& passage,
                                    const PassageExtras& extras = {},
                                    const Engine& engine = Pocket());

}  // namespace kvscope::inference
