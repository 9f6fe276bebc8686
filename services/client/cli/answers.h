// Answer and cell rows as table, CSV or JSON lines.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "kvscope/v1/orchestrator.grpc.pb.h"

namespace kvscope::cli {

// Streams all answers of a sweep to `out`, a message of them at a time, in the order unit, passage,
// press, ratio, question. format: "table" (the main columns), "csv" or "jsonl". Undefined values
// are empty in CSV and null in JSON; per-layer lists are JSON lists.
absl::Status WriteAnswers(v1::OrchestratorService::Stub& stub, const std::string& sweep,
                          const std::string& format, std::ostream& out);

// format: "csv" or "jsonl". `tags`: by which the cells are parted; each has a column of its name.
absl::Status WriteCells(const std::vector<v1::Cell>& cells, const std::string& format,
                        std::ostream& out, const std::vector<std::string>& tags = {});

}  // namespace kvscope::cli
