// Files whose rows are JSON objects: one a line, or all in one list.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "absl/status/status.h"
#include "services/orchestrator/datasets/import/collector.h"
#include "services/orchestrator/datasets/import/json_fields.h"

namespace kvscope::orchestrator {

struct JsonPlace {
  std::string where;  // `FILE:LINE`, or `FILE` for a list's element
  std::string path;   // empty, or `[INDEX]`
};

// Calls `take` with every object of the file.  Lines that hold none, are too long or are broken
// are left out in the collector; blank ones are passed over.  A file that begins with [ is a list.
// Errors: as FormatInfo::read.
absl::Status ForEachJsonRow(
    const std::string& path, Collector& collector,
    const std::function<void(const JsonPlace&, const nlohmann::json&)>& take);

// The whole file.  Errors: NotFound, DataLoss, InvalidArgument for more than 1 GiB.
absl::StatusOr<std::string> ReadDocument(const std::string& path);

// Hands the row to the collector, or leaves it out if a field was wrong.
void TakeJsonRow(const JsonFields& fields, Row row, Collector& collector);

}  // namespace kvscope::orchestrator
