// A report's figures as files, for other tools than the page.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "services/orchestrator/report/report.h"

namespace kvscope::orchestrator {

struct FigureFiles {
  std::vector<std::string> written = {};  // ids
  // Figures without data: their id, and why there is none.
  std::vector<std::pair<std::string, std::string>> left_out = {};
};

// Writes two files a figure into `folder`, which it makes: <id>.vl.json, a Vega-Lite specification
// that any tool draws, and <id>.csv (RFC 4180, UTF-8), the rows that it names as its data, in long
// form and with the columns that it uses; undefined numbers are empty.  `usermeta` holds the
// figure's title and caption.  Files of an earlier run are overwritten; of figures that have no
// data now they are removed.  Errors: InvalidArgument if the folder cannot be made,
// ResourceExhausted if a file cannot be written.
absl::StatusOr<FigureFiles> WriteFigureFiles(const ReportInput& input, const std::string& folder);

}  // namespace kvscope::orchestrator
