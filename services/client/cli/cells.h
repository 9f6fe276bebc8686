// The cells of a sweep, fetched and summed up for people.
#pragma once

#include <functional>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "kvscope/v1/orchestrator.grpc.pb.h"

namespace kvscope::cli {

// By which tags a cell's answers can be parted, as ListCells names them.
inline constexpr std::string_view kTagNames[] = {"direction", "answer_type", "question_type",
                                                 "hop"};

// All cells, page by page, each parted by `tags` (none: whole).
absl::Status ForEachCell(v1::OrchestratorService::Stub& stub, const std::string& sweep,
                         const std::vector<std::string>& tags,
                         const std::function<void(v1::Cell&&)>& take);
absl::StatusOr<std::vector<v1::Cell>> FetchCells(v1::OrchestratorService::Stub& stub,
                                                 const std::string& sweep,
                                                 const std::vector<std::string>& tags = {});

// One row a (model, regime, press, ratio), over all data sets: means weighted by the answers behind
// them.
std::vector<v1::Cell> MergeDatasets(const std::vector<v1::Cell>& cells);

// F1, hallucination, unknown, GER, eviction rate, consensus by press and ratio; one block a regime.
// Several models are told apart by a column.
// `tags`: by which the cells are parted; each has a column.
void PrintCells(const std::vector<v1::Cell>& cells, bool with_dataset, std::ostream& out,
                const std::vector<std::string>& tags = {});

// "agnostic", "aware", "aware_each".
std::string RegimeText(v1::Regime regime);
// "0.9": the shortest text that reads back as the same double.
std::string NumberText(double value);

}  // namespace kvscope::cli
