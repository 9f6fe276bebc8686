// Checks rows one by one and groups those that are good into passages.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "services/orchestrator/datasets/answer_finder.h"
#include "services/orchestrator/datasets/import/report.h"
#include "services/orchestrator/datasets/import/row.h"
#include "services/orchestrator/datasets/jsonl.h"
#include "services/orchestrator/datasets/passage.h"

namespace kvscope::orchestrator {

struct CollectorOptions {
  std::string dataset;  // of all rows; empty: the rows' own, or else the file's
  // Where set, context and question together may be at most `window` of these.
  std::function<int64_t(std::string_view)> count_tokens;
  int64_t window = 0;
};

// Rows with one data set, passage_id and context become one passage, in order of first appearance;
// rows that name no passage_id share one where their contexts are equal.  Everything is held until
// WriteTo, in a small multiple of the files' size.
class Collector {
 public:
  static constexpr int64_t kMaxRows = 2'000'000;

  explicit Collector(CollectorOptions options) : options_(std::move(options)) {}

  void BeginFile(const std::string& path, std::string_view format);

  // A row, good or not: counted as read, and taken or left out with the reason.
  void Take(Row row);

  // A row that could not even be read.
  void LeaveOut(Reason reason, const std::string& message);

  // ResourceExhausted once more than kMaxRows were taken: what reads a file stops then.
  const absl::Status& status() const { return status_; }

  // All passages, with ids for those that have none: `DATASET-NNN` and `PASSAGE_ID-NN`, counted
  // from 0, past those that a row gave.  Errors: PassageWriter's.
  absl::Status WriteTo(PassageWriter& writer);

  const ImportReport& report() const { return report_; }
  ImportReport& report() { return report_; }

 private:
  // A context that was looked at, kept for the next row.
  struct Context {
    std::shared_ptr<const std::string> text;
    std::optional<Problem> problem;
    std::optional<AnswerFinder> finder;  // where there is no problem
    int64_t tokens = 0;
  };
  struct Group {
    Passage passage;
    std::string where;       // of its first row
    int64_t json_bytes = 0;  // at most, of its line
  };

  const Context& Look(const Row& row);
  std::optional<Problem> CheckWindow(const Row& row, const Context& context) const;
  std::optional<Problem> Join(Row& row);
  // The group that the row belongs to, if there is one yet.
  std::optional<size_t> FindGroup(const Row& row, std::string* key) const;
  // Gives ids to the passage, `position`th of its data set, and its questions, where they have
  // none.
  void NameGroup(Group& group, int64_t position, int64_t* next);

  CollectorOptions options_;
  ImportReport report_;
  absl::Status status_;
  std::string file_dataset_;
  Context context_;
  std::vector<Group> groups_;
  std::unordered_map<std::string, size_t> group_of_;          // by a digest of what makes it
  std::unordered_map<std::string, size_t> group_of_id_;       // by the passage_id that a row gave
  std::unordered_map<std::string, std::string> question_at_;  // where each question_id was given
};

}  // namespace kvscope::orchestrator
