#include "services/orchestrator/datasets/import/import.h"

#include "absl/strings/str_cat.h"
#include "services/orchestrator/datasets/import/collector.h"
#include "services/orchestrator/datasets/import/format.h"
#include "services/orchestrator/datasets/jsonl.h"
#include "services/orchestrator/sweep/utf8.h"
#include "services/status_macros.h"

namespace kvscope::orchestrator {

absl::StatusOr<ImportReport> ImportFiles(const ImportOptions& options) {
  if (InvalidUtf8At(options.dataset)) {
    return absl::InvalidArgumentError("name: the data set's name is not UTF-8");
  }
  const FormatInfo* named = nullptr;
  if (options.format != "auto") {
    KVSCOPE_ASSIGN_OR_RETURN(named, FindFormat(options.format));
  }
  // Before the work, so that a path that cannot be written is told at once.
  KVSCOPE_ASSIGN_OR_RETURN(PassageWriter writer, PassageWriter::Create(options.out));
  Collector collector({options.dataset, options.count_tokens, options.window});
  for (const std::string& path : options.files) {
    const FormatInfo* format = named;
    if (format == nullptr) {
      KVSCOPE_ASSIGN_OR_RETURN(format, DetectFormat(path));
    }
    collector.BeginFile(path, format->name);
    KVSCOPE_RETURN_IF_ERROR(format->read({path, options.columns}, collector));
    KVSCOPE_RETURN_IF_ERROR(collector.status());
  }
  ImportReport& report = collector.report();
  report.out = options.out;
  if (report.rows_taken() > 0 && (report.rows_left_out() == 0 || options.skip_bad)) {
    KVSCOPE_RETURN_IF_ERROR(collector.WriteTo(writer));
    KVSCOPE_RETURN_IF_ERROR(writer.Close());
    report.written = true;
  }
  return report;
}

}  // namespace kvscope::orchestrator
