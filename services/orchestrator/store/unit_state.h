// How a unit changes state: the one place that keeps the queue and the sweeps' counts (schema.cc).
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "services/orchestrator/store/database.h"
#include "services/orchestrator/store/records.h"

namespace kvscope::orchestrator {

// Makes a pending unit a leased one, with the lease's token. No effect if the unit is not pending
// any more or had another lease since. Within a transaction.
absl::Status RecordLease(Database& db, int64_t unit, int64_t token, const std::string& worker);

// Moves unit `unit` (its row) from state `from`, which must be its state, to `to`, and updates the
// queue and the counts of every sweep that has it. Within a transaction.
absl::Status ChangeState(Database& db, int64_t unit, UnitState from, UnitState to);

// Ends the running sweeps that `unit` was the last open unit of: succeeded, or failed if any unit
// was set aside. Within a transaction.
absl::Status EndFinishedSweeps(Database& db, int64_t unit, int64_t now_ms);

}  // namespace kvscope::orchestrator
