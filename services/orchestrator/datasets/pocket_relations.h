// How the pocket scale words its facts and asks about them.
#pragma once

#include <string_view>
#include <vector>

#include "services/orchestrator/datasets/pocket_story.h"

namespace kvscope::orchestrator {

// Templates over {s} subject, {v} value, {a} value with its article, {n} noun.
struct RelationWords {
  std::string_view value_type;    // the answer type of a forward question
  std::string_view subject_type;  // and of a reverse one
  std::vector<std::string_view> wordings;
  std::vector<std::string_view> forward;
  std::vector<std::string_view> reverse;
};

const RelationWords& WordsOf(Relation relation);

}  // namespace kvscope::orchestrator
