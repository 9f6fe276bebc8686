// long_context: like multi_entity, with the evidence spread over distant spans.
// Source: arXiv:2603.01426, section 2.
#include "services/orchestrator/datasets/generator.h"
#include "services/orchestrator/datasets/paper/suites.h"
#include "services/orchestrator/datasets/pocket_story.h"

namespace kvscope::orchestrator {
namespace {

constexpr size_t kQuestions = 10;

constexpr Relation kRelations[] = {Relation::kJob,    Relation::kHome,  Relation::kPet,
                                   Relation::kOwn,    Relation::kJoin,  Relation::kCount,
                                   Relation::kLeave,  Relation::kMarry, Relation::kWin,
                                   Relation::kTravel, Relation::kBirth, Relation::kArrive};

// 7 to 9 persons with one attribute each, of four kinds, and 1 to 3 sentences between any two.
void WritePocketPassage(Random& random, Names names, Passage& passage) {
  PocketStory story(random, names);
  std::vector<Relation> relations(std::begin(kRelations), std::end(kRelations));
  Shuffle(relations, random);
  std::vector<size_t> facts(static_cast<size_t>(random.Between(7, 9)));
  for (size_t i = 0; i < facts.size(); ++i) {
    facts[i] = story.Add(relations[i % 4], story.world().Person());
  }
  Shuffle(facts, random);
  for (const size_t fact : facts) {
    story.State(fact);
    for (int64_t remarks = random.Between(1, 3); remarks > 0; --remarks) story.Remark();
  }
  passage.context = story.text();
  AskBothWays(story, facts, kQuestions / 2, kQuestions / 2, random, passage.questions);
}

}  // namespace

extern const GeneratorInfo kLongContext = {
    .name = "long_context",
    .summary = "Facts of many entities, far apart between other sentences.",
    .source = "arXiv:2603.01426, section 2",
    .paper_passages = 100,
    .make_paper = MakePaperLongContext,
    .write_pocket = WritePocketPassage,
};

}  // namespace kvscope::orchestrator
