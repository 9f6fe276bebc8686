// What the report says beside plain means: intervals, susceptibility, cliffs, comparisons, failure
// decomposition, routes and probes, calculated from a sweep's answers.
#pragma once

#include "absl/status/status.h"
#include "kvscope/v1/orchestrator.grpc.pb.h"
#include "services/client/cli/sweep_answers.h"
#include "services/orchestrator/report/report.h"

namespace kvscope::cli {

// Grids of more cells get no statistics: they would take minutes.
inline constexpr size_t kMostCellsWithStatistics = 20'000;

// Fills `input.statistics` and the intervals of `input.rows` and `input.tag_rows`, which are there
// already, and adds the kept bytes to `input.provenance`. Reads all answers of the sweep; fits
// probes where hidden states were captured, at the ratios that the report shows. What cannot be
// told stays empty or has a note. Errors: those of the calls to the orchestrator.
absl::Status AddStatistics(v1::OrchestratorService::Stub& stub, const v1::Sweep& sweep,
                           orchestrator::ReportInput& input);

// --- Its parts, each over all cells.

// The intervals of rows and tag rows.
void AddIntervals(const SweepAnswers& answers, orchestrator::ReportInput& input);
// Susceptibility and change points of every curve, correlation of GER and hallucination.
void AddCurves(const SweepAnswers& answers, orchestrator::ReportStatistics& statistics);
// Failure decomposition and routes of every cell.
void AddFailures(const SweepAnswers& answers, orchestrator::ReportStatistics& statistics);
// Presses against each other and against random.
void AddComparisons(const SweepAnswers& answers, orchestrator::ReportStatistics& statistics);
// The label of every row's consensus over the layers.
void AddDepthShapes(orchestrator::ReportInput& input);

}  // namespace kvscope::cli
