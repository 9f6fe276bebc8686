// One passage of a data set with its questions: a line of JSONL.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kvscope::orchestrator {

// The right answer where the passage has none (paper, section 2).
inline constexpr std::string_view kUnknownAnswer = "I dont know";

// The tags the paper uses. The sets are open: a file may bring its own answer and question types.
inline constexpr std::string_view kForward = "forward";          // subject -> attribute
inline constexpr std::string_view kReverse = "reverse";          // attribute -> subject
inline constexpr std::string_view kStandard = "Standard";        // stated explicitly
inline constexpr std::string_view kManipulated = "Manipulated";  // needs a transformation
inline constexpr std::string_view kPart = "Part";                // gathers several regions

// Code points [start, end) of the context; start < end.
struct Evidence {
  int64_t start = 0;
  int64_t end = 0;

  bool operator==(const Evidence&) const = default;
};

struct Question {
  std::string question_id;           // unique within its file
  std::string question;              // never blank
  std::string answer;                // the gold answer; never blank
  std::vector<std::string> aliases;  // answers as good as the gold one
  std::string direction;             // forward, reverse, or empty: not tagged
  std::string answer_type;           // such as Person; empty: not tagged
  std::string question_type;         // such as Standard; empty: not tagged
  int64_t hop = 0;                   // links followed from the subject, from 0
  std::vector<Evidence> evidence;    // where the answer stands, if anybody said
  // What leads to the answer, in the order in which it is followed: the context's copies of the
  // question's key; of a chain of links the key, then each bridge where its link ends and where
  // the next one begins.  Empty: nobody said.
  std::vector<Evidence> support;

  bool operator==(const Question&) const = default;
};

struct Passage {
  std::string dataset;
  std::string passage_id;           // unique within its file
  std::string context;              // UTF-8, never blank
  std::vector<Question> questions;  // at least one

  bool operator==(const Passage&) const = default;
};

}  // namespace kvscope::orchestrator
