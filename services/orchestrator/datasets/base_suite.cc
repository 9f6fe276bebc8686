// base: one subject with its attributes, asked both ways.
// Source: arXiv:2603.01426, section 2.
#include "services/orchestrator/datasets/generator.h"
#include "services/orchestrator/datasets/paper/suites.h"
#include "services/orchestrator/datasets/pocket_story.h"

namespace kvscope::orchestrator {
namespace {

constexpr size_t kQuestions = 6;

constexpr Relation kRelations[] = {Relation::kBirth, Relation::kJob,    Relation::kHome,
                                   Relation::kPet,   Relation::kOwn,    Relation::kJoin,
                                   Relation::kCount, Relation::kArrive, Relation::kWin,
                                   Relation::kMarry, Relation::kTravel, Relation::kLeave};

// A subject with 4 or 5 attributes; two others who have one of the same kind each.
void WritePocketPassage(Random& random, Names names, Passage& passage) {
  PocketStory story(random, names);
  std::vector<Relation> relations(std::begin(kRelations), std::end(kRelations));
  Shuffle(relations, random);
  relations.resize(static_cast<size_t>(random.Between(4, 5)));
  const Gender gender = random.OneIn(2) ? Gender::kMale : Gender::kFemale;
  const std::string subject = story.world().Person(gender);
  std::vector<size_t> facts;
  facts.reserve(relations.size() + 2);
  for (const Relation relation : relations) facts.push_back(story.Add(relation, subject));
  facts.push_back(story.Add(relations[0], story.world().Person()));
  facts.push_back(story.Add(relations[1], story.world().Person()));
  Shuffle(facts, random);
  std::string last;  // whom the sentence before was about
  for (const size_t fact : facts) {
    const std::string& who = story.fact(fact).subject;
    const bool pronoun = who == subject && last == who && random.OneIn(3) &&
                         story.fact(fact).relation != Relation::kMarry;
    last = who;
    if (pronoun) {
      story.State(fact, {gender == Gender::kMale ? "He" : "She"});
    } else {
      story.State(fact);
      // the spouse may be who a pronoun means now
      if (story.fact(fact).relation == Relation::kMarry) last.clear();
    }
    if (random.OneIn(4)) story.Remark();
  }
  passage.context = story.text();
  AskBothWays(story, facts, kQuestions / 2, kQuestions / 2, random, passage.questions);
}

}  // namespace

extern const GeneratorInfo kBase = {
    .name = "base",
    .summary = "One subject and its attributes, among others who have the like.",
    .source = "arXiv:2603.01426, section 2",
    .paper_passages = 200,
    .make_paper = MakePaperBase,
    .write_pocket = WritePocketPassage,
};

}  // namespace kvscope::orchestrator
