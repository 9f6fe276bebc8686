// Replaces the names in a model's passage by invented ones that nobody can have read about.
#pragma once

#include <string>
#include <vector>

#include "services/orchestrator/datasets/llm/draft.h"
#include "services/orchestrator/datasets/random.h"

namespace kvscope::orchestrator::llm {

// Rewrites passage, entities and facts.  Names are replaced word by word, one word for one, so the
// passage keeps its length and short forms ("Berg's", "the Halden council") follow their full
// names: "Anna Berg" may become "Gwenovan Barlwether", "Halden Institute of Botany" becomes
// "Tarnbridge Institute of Elderport".  Titles, kinds of things ("Institute") and words without a
// capital stay.  An entity's new words suit its type.  Equal drafts and random streams give equal
// results; the new words differ from each other and from all words that stood in the draft.
void RenameEntities(Draft& draft, Random& random);

// Words of the passage that look like names (a capital within a sentence) but belong to no entity;
// each once, in order.  Months, days of the week, titles and kinds of things are none.
std::vector<std::string> UnlistedNames(const Draft& draft);

}  // namespace kvscope::orchestrator::llm
