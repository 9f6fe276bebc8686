// The rules that a row must keep: those of passage_json.h, and that its answer is grounded.
#pragma once

#include <optional>

#include "services/orchestrator/datasets/answer_finder.h"
#include "services/orchestrator/datasets/import/row.h"

namespace kvscope::orchestrator {

// What is wrong with the row's context, if anything.
std::optional<Problem> CheckContext(const Row& row);

// What is wrong with its other texts, ids, tags and lists, each by itself.
std::optional<Problem> CheckFields(const Row& row);

// Fills in where the answer stands.  An answer_start or evidence that the row brought is checked
// and kept, otherwise the finder looks for the answer, or where that does not occur, for the
// aliases.  `parts` are joined to one answer, the question becomes a Part, and its evidence is
// that of each part.  Needs no place: "I dont know", a Manipulated question, and an answer that
// the evidence's texts make up when they are joined.
std::optional<Problem> Ground(const AnswerFinder& finder, Row& row);

}  // namespace kvscope::orchestrator
