// Questions as a model asked them about a passage, and which of them hold.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "services/orchestrator/datasets/answer_finder.h"
#include "services/orchestrator/datasets/llm/draft.h"
#include "services/orchestrator/datasets/llm/writing_rules.h"
#include "services/orchestrator/datasets/passage.h"

namespace kvscope::orchestrator::llm {

// Collects a passage's questions until they are as many, and as balanced, as the suite wants.
class QuestionSet {
 public:
  // How many questions are still wanted of one direction and hop.
  struct Need {
    int64_t hop = 0;
    int forward = 0;
    int reverse = 0;
  };

  // `draft` (with its invented names) and `rules` must outlive this.
  QuestionSet(const Draft& draft, const WritingRules& rules);

  // Takes what holds of {"questions": [{"question", "answer", "direction", "answer_type",
  // "question_type", "hop"}]}, in order, and returns what is wrong with each of the others.  Taken
  // is a question
  // - whose answer stands in the passage in whole words, has at most 10 of them, and stands there
  //   once unless it is an entity's name;
  // - that does not give its answer away, nor ask what was asked before: no question twice, no
  //   answer twice in forward questions of one hop;
  // - that names an entity, if forward; whose answer is an entity's name, if reverse, that stands
  // in
  //   the passage as often as the suite allows;
  // - of `hops`: that names the subject (forward) or asks for it (reverse) and none of the entities
  //   on the way;
  // - that carries known tags, and of whose direction and hop more are wanted.
  // Its evidence is every place where the answer stands.
  std::vector<Problem> Take(const nlohmann::json& answer);

  std::vector<Need> Needs() const;  // empty: complete
  bool Complete() const { return Needs().empty(); }

  // Hop by hop, forward before reverse, otherwise as they came.
  std::vector<Question> InOrder() const;

 private:
  std::optional<Problem> ReadQuestion(const nlohmann::json& element, Question& question) const;
  std::optional<Problem> GroundingProblem(const Question& question) const;
  std::optional<Problem> RepetitionProblem(const Question& question) const;
  std::optional<Problem> LinkProblem(const Question& question) const;
  bool NamesEntity(const std::string& question) const;
  int CountOf(int64_t hop, std::string_view direction) const;

  const Draft& draft_;
  const WritingRules& rules_;
  const AnswerFinder passage_;
  std::vector<Question> taken_;
};

}  // namespace kvscope::orchestrator::llm
