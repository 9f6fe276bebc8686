// How a unit changes state: the one place that keeps the queue and the sweeps' counts (schema.cc).
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "services/orchestrator/store/database.h"
#include "services/orchestrator/store/records.h"

namespace kvscope::orchestrator {

// Moves unit `unit` (its row) from state `from`, which must be its state, to `to`, and updates the
// queue and the counts of every sweep that has it. Within a transaction.
absl::Status ChangeState(Database& db, int64_t unit, UnitState from, UnitState to);

// Ends the running sweeps that `unit` was the last open unit of: succeeded, or failed if any unit
// was set aside. Within a transaction.
absl::Status EndFinishedSweeps(Database& db, int64_t unit, int64_t now_ms);

}  // namespace kvscope::orchestrator
