#include "services/orchestrator/datasets/import/row.h"

#include "absl/strings/str_cat.h"

namespace kvscope::orchestrator {

std::string_view ReasonName(Reason reason) {
  switch (reason) {
    case Reason::kMalformed:
      return "malformed";
    case Reason::kNotUtf8:
      return "not_utf8";
    case Reason::kWrongField:
      return "wrong_field";
    case Reason::kNoContext:
      return "no_context";
    case Reason::kNoQuestion:
      return "no_question";
    case Reason::kNoAnswer:
      return "no_answer";
    case Reason::kAnswerNotInPassage:
      return "answer_not_in_passage";
    case Reason::kWrongPlace:
      return "wrong_place";
    case Reason::kDuplicateId:
      return "duplicate_id";
    case Reason::kTooLong:
      return "too_long";
    case Reason::kOverWindow:
      return "over_window";
  }
  return "";
}

std::string ProblemText(std::string_view where, std::string_view path, const Problem& problem) {
  const bool dot = !path.empty() && !problem.field.empty() && problem.field.front() != '[';
  const std::string field = absl::StrCat(std::string(path), dot ? "." : "", problem.field);
  return absl::StrCat(std::string(where), ": ", field, field.empty() ? "" : ": ", problem.what);
}

}  // namespace kvscope::orchestrator
