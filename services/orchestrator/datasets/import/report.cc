#include "services/orchestrator/datasets/import/report.h"

#include <nlohmann/json.hpp>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace kvscope::orchestrator {
namespace {

using nlohmann::ordered_json;

std::string Counted(int64_t count, const char* noun) {
  return absl::StrCat(count, " ", noun, count == 1 ? "" : "s");
}

template <typename Field>
int64_t Sum(const std::vector<FileAccount>& files, Field field) {
  return std::accumulate(files.begin(), files.end(), int64_t{0},
                         [&](int64_t sum, const FileAccount& file) { return sum + file.*field; });
}

}  // namespace

int64_t ImportReport::rows_read() const { return Sum(files, &FileAccount::rows_read); }
int64_t ImportReport::rows_taken() const { return Sum(files, &FileAccount::rows_taken); }
int64_t ImportReport::rows_left_out() const { return rows_read() - rows_taken(); }

std::string ImportText(const ImportReport& report) {
  std::string text;
  for (const FileAccount& file : report.files) {
    absl::StrAppend(&text, file.path, " (", file.format, "): ", Counted(file.rows_read, "row"),
                    " read, ", file.rows_taken, " taken, ", file.rows_read - file.rows_taken,
                    " left out\n");
  }
  for (const auto& [reason, count] : report.left_out) {
    absl::StrAppend(&text, "  ", count, " ",
                    absl::StrReplaceAll(std::string(ReasonName(reason)), {{"_", " "}}), "\n");
  }
  for (const std::string& problem : report.problems) absl::StrAppend(&text, problem, "\n");
  const auto untold = report.rows_left_out() - static_cast<int64_t>(report.problems.size());
  if (untold > 0) absl::StrAppend(&text, "and ", untold, " more\n");
  absl::StrAppend(&text, report.out, ": ");
  if (!report.written) return text + "nothing was written\n";
  absl::StrAppend(&text, Counted(report.passages, "passage"), ", ",
                  Counted(report.rows_taken(), "question"), ", ", report.unanswerable,
                  " of them without an answer in the passage\n");
  return text;
}

std::string ImportJson(const ImportReport& report) {
  ordered_json files = ordered_json::array();
  for (const FileAccount& file : report.files) {
    files.push_back({{"file", file.path},
                     {"format", file.format},
                     {"rows_read", file.rows_read},
                     {"rows_taken", file.rows_taken}});
  }
  ordered_json left_out = ordered_json::object();
  for (const auto& [reason, count] : report.left_out) {
    left_out[std::string(ReasonName(reason))] = count;
  }
  const ordered_json object = {{"out", report.out},
                               {"written", report.written},
                               {"rows_read", report.rows_read()},
                               {"rows_taken", report.rows_taken()},
                               {"rows_left_out", report.rows_left_out()},
                               {"left_out", std::move(left_out)},
                               {"problems", report.problems},
                               {"passages", report.passages},
                               {"unanswerable", report.unanswerable},
                               {"files", std::move(files)}};
  return object.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace kvscope::orchestrator
