// One question as a foreign file gives it, before anything about it is believed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "services/orchestrator/datasets/passage.h"

namespace kvscope::orchestrator {

// Why a row was left out.
enum class Reason {
  kMalformed,           // no JSON object, no CSV record
  kNotUtf8,             // broken bytes
  kWrongField,          // a field of the wrong kind, or out of its range
  kNoContext,           // missing or blank
  kNoQuestion,          // missing or blank
  kNoAnswer,            // missing or blank
  kAnswerNotInPassage,  // and the question is not tagged Manipulated
  kWrongPlace,          // an answer_start or evidence that misses the answer
  kDuplicateId,         // of a passage or a question
  kTooLong,             // a line, a record, or more than a passage may hold
  kOverWindow,          // context and question are more tokens than the window
};

// As the report writes it: `answer_not_in_passage`.
std::string_view ReasonName(Reason reason);

// What is wrong with a row.
struct Problem {
  Reason reason = Reason::kMalformed;
  std::string field;        // its path in the row's place; empty: the row as a whole
  std::string what;         // what was found and what is allowed
  bool of_passage = false;  // the field is the passage's, not the question's
};

// `WHERE: PATH.FIELD: WHAT`, as all messages about data are.
std::string ProblemText(std::string_view where, std::string_view path, const Problem& problem);

// What a file calls the fields, for messages.
struct FieldNames {
  std::string context = "context";
  std::string question = "question";
  std::string answer = "answer";
  std::string question_id = "question_id";
  std::string passage_id = "passage_id";
};

// A text that the file says to stand at a place.
struct PlacedAnswer {
  std::string text;
  int64_t start = 0;  // code point of the context
};

struct Row {
  // Where it stands, for messages: `WHERE: PASSAGE_PATH.context`, `WHERE: PATH.question`.
  std::string where;         // `FILE:LINE`; `FILE` where a line says nothing
  std::string passage_path;  // such as `data[0].paragraphs[1]`; empty: the top
  std::string path;          // such as `questions[2]`; empty: the top
  const FieldNames* names = nullptr;

  std::string dataset;     // empty: the file's
  std::string passage_id;  // empty: nobody said
  bool alone = false;      // a passage_id may not come back in another place
  std::shared_ptr<const std::string> context;
  Question question;                 // question_id, evidence: empty where nobody said
  std::vector<PlacedAnswer> placed;  // the answer and aliases that came with a start
  std::vector<std::string> parts;    // the answer is all of these; `question.answer` is then unset
};

}  // namespace kvscope::orchestrator
