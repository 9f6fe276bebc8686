// The ids of generated passages and their questions.
#pragma once

#include <cstdint>
#include <string_view>

#include "services/orchestrator/datasets/generator.h"
#include "services/orchestrator/datasets/passage.h"

namespace kvscope::orchestrator {

// An empty passage with its data set's name and its id, such as `hops-pocket-1-0042`.
Passage NewPassage(std::string_view dataset, Scale scale, Names names, uint64_t seed,
                   int64_t index);

// Sets the questions' ids, such as `hops-pocket-1-0042-07`.
void NumberQuestions(Passage& passage);

}  // namespace kvscope::orchestrator
