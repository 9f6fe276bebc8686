// What a check of a data set may find.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace kvscope::orchestrator {

// What a finding is about: a design principle of the paper's, or the figures of its Table 1.
enum class Principle {
  kGrounding,   // the answer stands in the passage; evidence and support say where
  kRedundancy,  // it stands there as often as it must, no more
  kDirections,  // questions go both ways, in the stated balance
  kClarity,     // one answer a question and the right tags: a failure can be interpreted
  kSize,        // words, questions and passages
};

inline constexpr std::array<std::string_view, 5> kPrinciples = {"grounding", "redundancy",
                                                                "directions", "clarity", "size"};

enum class FindingKind {
  kUngrounded,  // the answer is not in the context, nor made up of its evidence
  kEvidence,    // no evidence span holds the answer, though the context does
  kSupport,     // the bridges of a chain are not given at both their ends
  kRedundant,   // the answer also stands where no evidence is
  kAmbiguous,   // asked twice in a passage, with different answers
  kRepeated,    // asked twice in a passage, with the same answer
  // Against the rules of the suite that a passage belongs to:
  kOccurrences,   // how often the answer stands in the passage
  kForward,       // how many questions are forward ones
  kDirection,     // a question without direction
  kUnknown,       // how many questions have no answer
  kHops,          // which hops the questions have
  kAnswerType,    // a type of answer that the suite lacks, or never asked for
  kQuestionType,  // a type of question that the suite lacks, or never asked
  kWords,         // of a passage
  kQuestions,     // of a passage
  kTotal,         // questions of the whole set
};

struct FindingKindInfo {
  std::string_view name;
  Principle principle;
};

// By FindingKind.
inline constexpr std::array<FindingKindInfo, 16> kFindingKinds = {{
    {"ungrounded", Principle::kGrounding},
    {"evidence", Principle::kGrounding},
    {"support", Principle::kGrounding},
    {"redundant", Principle::kRedundancy},
    {"ambiguous", Principle::kClarity},
    {"repeated", Principle::kClarity},
    {"occurrences", Principle::kRedundancy},
    {"forward", Principle::kDirections},
    {"direction", Principle::kDirections},
    {"unknown", Principle::kClarity},
    {"hops", Principle::kClarity},
    {"answer_type", Principle::kClarity},
    {"question_type", Principle::kClarity},
    {"words", Principle::kSize},
    {"questions", Principle::kSize},
    {"total", Principle::kSize},
}};

struct Finding {
  FindingKind kind;
  std::string what;  // `FIELD: what was found, what is allowed`
};

}  // namespace kvscope::orchestrator
