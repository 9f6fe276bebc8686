#include "services/orchestrator/datasets/passage_ids.h"

#include <string>

#include "absl/strings/str_format.h"

namespace kvscope::orchestrator {

Passage NewPassage(std::string_view dataset, Scale scale, Names names, uint64_t seed,
                   int64_t index) {
  Passage passage;
  passage.dataset = dataset;
  const std::string part(names == Names::kTraining ? "training" : ScaleName(scale));
  passage.passage_id = absl::StrFormat("%s-%s-%d-%04d", passage.dataset, part, seed, index);
  return passage;
}

void NumberQuestions(Passage& passage) {
  for (size_t i = 0; i < passage.questions.size(); ++i) {
    passage.questions[i].question_id = absl::StrFormat("%s-%02d", passage.passage_id, i);
  }
}

}  // namespace kvscope::orchestrator
