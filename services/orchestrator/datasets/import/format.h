// The formats that can be imported.  A format is one .cc file that defines a FormatInfo, and one
// line in format.cc.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/orchestrator/datasets/import/collector.h"

namespace kvscope::orchestrator {

struct ImportFile {
  std::string path;
  // What the user says of columns: `context`, `question`, ... to the header's name for it.
  std::map<std::string, std::string> columns;
};

// A look at a file, to tell its format.
struct FileHead {
  std::string extension;          // lower case, with its dot
  bool is_json = false;           // it begins with { or [
  std::vector<std::string> keys;  // of its first JSON object, as far as they stand at the beginning
  std::string first_line;         // where it is no JSON

  bool HasKey(std::string_view key) const;
};

struct FormatInfo {
  std::string_view name;
  std::string_view summary;
  std::string_view source;             // where the shape is written down
  bool (*fits)(const FileHead& head);  // `--format auto` takes the first that does
  // Hands every row of the file to the collector, in order, until its status() is an error.
  // Errors: NotFound, DataLoss, and InvalidArgument for a file that is not of the format at all.
  absl::Status (*read)(const ImportFile& file, Collector& collector);
};

// All formats, in the order in which they are tried.
std::span<const FormatInfo* const> Formats();

// The format of that name.  Errors: InvalidArgument naming the nearest one.
absl::StatusOr<const FormatInfo*> FindFormat(std::string_view name);

// The format that the file's beginning looks like.
// Errors: NotFound, DataLoss; InvalidArgument if it looks like none, saying what stands there.
absl::StatusOr<const FormatInfo*> DetectFormat(const std::string& path);

}  // namespace kvscope::orchestrator
