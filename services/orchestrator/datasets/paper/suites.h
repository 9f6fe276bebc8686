// The paper's scale of the suites: passages of the lengths of its Table 1.
#pragma once

#include <cstdint>

#include "services/orchestrator/datasets/passage.h"

namespace kvscope::orchestrator {

// Passage `index` (from 0) of a suite; equal arguments give equal passages on every machine.
Passage MakePaperBase(uint64_t seed, int64_t index);
Passage MakePaperMultiPresence(uint64_t seed, int64_t index);
Passage MakePaperMultiEntity(uint64_t seed, int64_t index);
Passage MakePaperLongContext(uint64_t seed, int64_t index);
Passage MakePaperCoreference(uint64_t seed, int64_t index);
Passage MakePaperHops(uint64_t seed, int64_t index);

}  // namespace kvscope::orchestrator
