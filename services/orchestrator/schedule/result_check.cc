#include "services/orchestrator/schedule/result_check.h"

#include <string_view>

#include "absl/strings/str_cat.h"
#include "services/status_macros.h"

namespace kvscope::orchestrator {
namespace {

absl::Status CheckIndex(std::string_view row, std::string_view field, int64_t index,
                        int64_t count) {
  if (index >= 0 && index < count) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("the result has a ", std::string(row), " with ",
                                                 std::string(field), " = ", index,
                                                 ", allowed are 0 to ", count - 1));
}

absl::Status CheckPlace(const LeasedUnit& unit, std::string_view row, const RowPlace& place) {
  KVSCOPE_RETURN_IF_ERROR(CheckIndex(row, "passage_index", place.passage, unit.passage_count));
  KVSCOPE_RETURN_IF_ERROR(CheckIndex(row, "press_index", place.press, unit.press_count));
  return CheckIndex(row, "ratio_index", place.ratio, unit.ratio_count);
}

absl::Status CheckCount(std::string_view rows, size_t found, int64_t due) {
  if (static_cast<int64_t>(found) == due) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("the result has ", found, " ", std::string(rows), " where ", due, " are due"));
}

}  // namespace

absl::Status CheckResult(const LeasedUnit& unit, const UnitResult& result) {
  const bool each = unit.regime == "aware_each";
  const int64_t keep_sets = unit.passage_count * unit.press_count * unit.ratio_count;
  KVSCOPE_RETURN_IF_ERROR(CheckCount("answers", result.answers.size(), unit.streams));
  KVSCOPE_RETURN_IF_ERROR(
      CheckCount("cells", result.cells.size(), each ? unit.streams : keep_sets));
  for (const AnswerRow& row : result.answers) {
    KVSCOPE_RETURN_IF_ERROR(CheckPlace(unit, "answer", row.place));
    KVSCOPE_RETURN_IF_ERROR(
        CheckIndex("answer", "question_index", row.place.question, unit.streams));
  }
  for (const CellRow& row : result.cells) {
    KVSCOPE_RETURN_IF_ERROR(CheckPlace(unit, "cell", row.place));
    const int64_t question = row.place.question;
    if (!each && question == -1) continue;
    KVSCOPE_RETURN_IF_ERROR(
        CheckIndex("cell", "question_index", question, each ? unit.streams : 0));
  }
  for (const HeatmapRow& row : result.heatmaps) {
    KVSCOPE_RETURN_IF_ERROR(CheckPlace(unit, "heat map", row.place));
  }
  return absl::OkStatus();
}

}  // namespace kvscope::orchestrator
