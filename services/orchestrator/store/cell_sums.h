// CellSums: what ListCells adds up, one row for each (press, ratio) of a unit.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "services/orchestrator/store/database.h"
#include "services/orchestrator/store/records.h"

namespace kvscope::orchestrator {

// Writes the sums of a result over its answers, each of them joined with the keep set that it was
// given through: of every value, the sum over the answers that define it (NaN: undefined), and
// their number. O(answers). Within the transaction that writes the result.
absl::Status WriteCellSums(Database& db, int64_t unit, const UnitResult& result);

}  // namespace kvscope::orchestrator
