// Whether a worker's result covers its unit.
#pragma once

#include "absl/status/status.h"
#include "services/orchestrator/store/records.h"

namespace kvscope::orchestrator {

// InvalidArgument, one sentence, if an index is outside the unit's lists, or if there is not one
// answer for every stream and one keep set for every (passage, press, ratio), in regime aware_each
// for every stream. (That no place is taken twice is the store's to see.)
absl::Status CheckResult(const LeasedUnit& unit, const UnitResult& result);

}  // namespace kvscope::orchestrator
