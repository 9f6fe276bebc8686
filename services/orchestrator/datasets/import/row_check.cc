#include "services/orchestrator/datasets/import/row_check.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/orchestrator/datasets/answer_parts.h"
#include "services/orchestrator/datasets/grounding.h"
#include "services/orchestrator/datasets/import/stripped.h"
#include "services/orchestrator/datasets/passage_json.h"
#include "services/orchestrator/sweep/utf8.h"

namespace kvscope::orchestrator {
namespace {

constexpr size_t kMostSpans = 100;  // of one answer: more say nothing

std::optional<Problem> CheckText(std::string_view text, Reason missing, const std::string& field) {
  if (text.empty()) return Problem{missing, field, "is missing or empty, must be text"};
  if (Stripped(text).empty()) return Problem{missing, field, "is blank, must be text"};
  if (text.find('\0') != std::string_view::npos) {
    return Problem{Reason::kWrongField, field, "contains a NUL character, which no text may"};
  }
  return std::nullopt;
}

std::optional<Problem> CheckId(const std::string& id, const std::string& field) {
  const bool plain =
      std::none_of(id.begin(), id.end(), [](unsigned char c) { return absl::ascii_iscntrl(c); });
  if (id.size() <= kMaxIdBytes && plain) return std::nullopt;
  return Problem{Reason::kWrongField, field,
                 absl::StrCat("is ", Quoted(id), ", must be 1 to ", kMaxIdBytes,
                              " bytes without control characters")};
}

std::optional<Problem> CheckTags(const Question& question) {
  if (!question.direction.empty() && question.direction != kForward &&
      question.direction != kReverse) {
    return Problem{Reason::kWrongField, "direction",
                   absl::StrCat("is ", Quoted(question.direction), ", must be forward or reverse")};
  }
  for (const auto* tag : {&question.answer_type, &question.question_type}) {
    if (tag->find('\0') != std::string::npos) {
      return Problem{Reason::kWrongField,
                     tag == &question.answer_type ? "answer_type" : "question_type",
                     "contains a NUL character, which no text may"};
    }
  }
  return std::nullopt;
}

std::optional<Problem> CheckAnswers(const Row& row) {
  const Question& question = row.question;
  const std::string& field = row.names->answer;
  if (std::max({question.aliases.size(), row.parts.size(), row.placed.size()}) > kMaxListed) {
    return Problem{Reason::kTooLong, field,
                   absl::StrCat("has more than ", kMaxListed, " answers, the most allowed")};
  }
  if (row.parts.empty()) {
    if (auto problem = CheckText(question.answer, Reason::kNoAnswer, field)) return problem;
  }
  for (const std::string& part : row.parts) {
    if (auto problem = CheckText(part, Reason::kNoAnswer, field)) return problem;
  }
  for (const std::string& alias : question.aliases) {
    if (auto problem = CheckText(alias, Reason::kWrongField, "aliases")) return problem;
  }
  return std::nullopt;
}

Problem NotInPassage(const std::string& field, const std::string& answer) {
  return {Reason::kAnswerNotInPassage, field,
          absl::StrCat(Quoted(answer), " does not occur in the context")};
}

// The answer that was given a place: the gold one, then the aliases.
const std::string& AnswerAt(const Question& question, size_t index) {
  return index == 0 ? question.answer : question.aliases[index - 1];
}

std::string StartsText(const std::vector<Evidence>& spans) {
  return absl::StrJoin(spans, ", ", [](std::string* text, const Evidence& span) {
    absl::StrAppend(text, span.start);
  });
}

std::optional<Problem> UsePlaces(const AnswerFinder& finder, Row& row) {
  constexpr size_t kToldStarts = 3;
  Question& question = row.question;
  for (const auto& [answer, start] : row.placed) {
    const auto length = static_cast<int64_t>(CountCodePoints(answer));
    const std::string_view found = CodePointSlice(*row.context, static_cast<size_t>(start),
                                                  static_cast<size_t>(start + length));
    if (found == answer || NormalizeText(found) == NormalizeText(answer)) {
      const Evidence span{start, start + length};
      const auto& known = question.evidence;
      if (std::find(known.begin(), known.end(), span) == known.end()) {
        question.evidence.push_back(span);
      }
      continue;
    }
    const auto spans = finder.Find(answer, kToldStarts);
    const std::string stands =
        spans.empty() ? "does not occur there" : absl::StrCat("stands at ", StartsText(spans));
    return Problem{spans.empty() ? Reason::kAnswerNotInPassage : Reason::kWrongPlace,
                   "answer_start",
                   absl::StrCat("is ", start, ", where the context reads ", Quoted(found),
                                ", but the answer ", Quoted(answer), " ", stands)};
  }
  return std::nullopt;
}

std::optional<Problem> CheckEvidence(const Row& row) {
  const Question& question = row.question;
  for (const Evidence& span : question.evidence) {
    const std::string text = NormalizeText(CodePointSlice(
        *row.context, static_cast<size_t>(span.start), static_cast<size_t>(span.end)));
    for (size_t i = 0; i <= question.aliases.size(); ++i) {
      if (Occurs(AnswerAt(question, i), text)) return std::nullopt;
    }
  }
  const Evidence& first = question.evidence.front();
  const auto text = CodePointSlice(*row.context, static_cast<size_t>(first.start),
                                   static_cast<size_t>(first.end));
  return Problem{Reason::kWrongPlace, "evidence",
                 absl::StrCat(Quoted(text), " does not hold the answer ", Quoted(question.answer))};
}

// Whether the evidence's texts, joined by commas and "and", are all of the answer: "Ann and Bob".
bool IsJoinedEvidence(const Row& row) {
  if (row.question.evidence.size() < 2) return false;
  std::vector<std::string> parts;
  for (const Evidence& span : row.question.evidence) {
    parts.push_back(NormalizeText(CodePointSlice(*row.context, static_cast<size_t>(span.start),
                                                 static_cast<size_t>(span.end))));
  }
  return IsMadeOf(NormalizeText(row.question.answer), parts);
}

std::optional<Problem> GroundParts(const AnswerFinder& finder, Row& row) {
  Question& question = row.question;
  const size_t most = std::max<size_t>(1, kMostSpans / row.parts.size());
  for (const std::string& part : row.parts) {
    const auto spans = finder.Find(part, most);
    if (spans.empty()) return NotInPassage(row.names->answer, part);
    question.evidence.insert(question.evidence.end(), spans.begin(), spans.end());
  }
  question.answer = absl::StrJoin(row.parts, ", ");
  question.question_type = std::string(kPart);
  return std::nullopt;
}

}  // namespace

std::optional<Problem> CheckContext(const Row& row) {
  auto problem = CheckText(*row.context, Reason::kNoContext, row.names->context);
  if (problem) problem->of_passage = true;
  return problem;
}

std::optional<Problem> CheckFields(const Row& row) {
  for (auto [id, field] : {std::pair(&row.dataset, std::string("dataset")),
                           std::pair(&row.passage_id, row.names->passage_id)}) {
    if (auto problem = CheckId(*id, field)) {
      problem->of_passage = true;
      return problem;
    }
  }
  if (auto problem = CheckId(row.question.question_id, row.names->question_id)) return problem;
  if (auto problem = CheckText(row.question.question, Reason::kNoQuestion, row.names->question)) {
    return problem;
  }
  if (auto problem = CheckAnswers(row)) return problem;
  return CheckTags(row.question);
}

std::optional<Problem> Ground(const AnswerFinder& finder, Row& row) {
  Question& question = row.question;
  if (!row.parts.empty()) return GroundParts(finder, row);
  if (Abstains(question.answer)) return std::nullopt;
  if (auto problem = UsePlaces(finder, row)) return problem;
  std::vector<Evidence> spans;
  for (size_t i = 0; spans.empty() && i <= question.aliases.size(); ++i) {
    spans = finder.Find(AnswerAt(question, i), kMostSpans);
  }
  if (spans.empty()) {
    if (question.question_type == kManipulated || IsJoinedEvidence(row)) return std::nullopt;
    return NotInPassage(row.names->answer, question.answer);
  }
  if (!question.evidence.empty()) return CheckEvidence(row);
  question.evidence = std::move(spans);
  return std::nullopt;
}

}  // namespace kvscope::orchestrator
