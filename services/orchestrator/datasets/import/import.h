// Turns other people's data into a file of passages (passage.h), or says why not.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "services/orchestrator/datasets/import/report.h"

namespace kvscope::orchestrator {

struct ImportOptions {
  std::vector<std::string> files;
  std::string format = "auto";                 // or a name in Formats()
  std::map<std::string, std::string> columns;  // ImportFile's
  std::string out;
  std::string dataset;    // of all passages; empty: what the rows say, or else the file's name
  bool skip_bad = false;  // write the good rows though there are bad ones
  // Where set, context and question together may be at most `window` of these: tokens.
  std::function<int64_t(std::string_view)> count_tokens;
  int64_t window = 0;
};

// Reads all files and writes `out`, which is always whole: a temporary file beside it takes its
// place at the end.  Nothing is written, and the report says so, if a row was left out and
// `skip_bad` is not set, or if no row was taken.
// Errors, with nothing written: those of Formats' read, of PassageWriter, InvalidArgument for a
// format that is unknown or cannot be told, ResourceExhausted for too many rows.
absl::StatusOr<ImportReport> ImportFiles(const ImportOptions& options);

}  // namespace kvscope::orchestrator
