// The cells of a sweep, fetched and summed up for people.
#pragma once

#include <functional>
#include <iosfwd>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "kvscope/v1/orchestrator.grpc.pb.h"

namespace kvscope::cli {

// All cells, page by page.
absl::StatusOr<std::vector<v1::Cell>> FetchCells(v1::OrchestratorService::Stub& stub,
                                                 const std::string& sweep);

// One row a (regime, press, ratio), over all data sets: means weighted by the answers behind them.
std::vector<v1::Cell> MergeDatasets(const std::vector<v1::Cell>& cells);

// F1, hallucination, unknown, GER, eviction rate, consensus by press and ratio; one block a regime.
void PrintCells(const std::vector<v1::Cell>& cells, bool with_dataset, std::ostream& out);

// "agnostic", "aware", "aware_each".
std::string RegimeText(v1::Regime regime);
// "0.9": the shortest text that reads back as the same double.
std::string NumberText(double value);

}  // namespace kvscope::cli
