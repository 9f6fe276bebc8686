// The phases of store_scale that run code of ours; each is called in a child of its own.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "tests/bench/orchestrator/sweep_grid.h"

namespace kvscope::bench {

inline constexpr char kFilledSweep[] = "scale-filled";

// {"p50", "p99", "max"} in milliseconds, and "count".
nlohmann::json Quantiles(std::vector<absl::Duration> durations);

// Makes the store: data sets, a sweep, its plan, and every unit leased and committed by the real
// scheduler, one after another.
nlohmann::json Fill(const SweepGrid& grid, const std::string& store);

// Submits a second sweep to the orchestrator at `address`, over the data sets of the first, and
// lets `workers` simulated workers do it. Counts what is not as it must be: each unit done once.
nlohmann::json WorkOff(const SweepGrid& grid, const std::string& address, int workers,
                       absl::Duration think);

}  // namespace kvscope::bench
