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
  passage.questions.clear();
  for (const size_t fact : facts) {
    passage.questions.push_back(story.AskForward(fact));
    passage.questions.push_back(story.AskReverse(fact));
  }
  KeepSome(kForward, kQuestions / 2, random, passage.questions);
  KeepSome(kReverse, kQuestions / 2, random, passage.questions);
}

Passage MakePocketPassage(Names names, uint64_t seed, int64_t index) {
  Random random = PocketRandom("long_context", names, seed, index);
  Passage passage = NewPassage("long_context", Scale::kPocket, names, seed, index);
  do {
    WritePocketPassage(random, names, passage);
  } while (!AnswersAreUnambiguous(passage));
  NumberQuestions(passage);
  return passage;
}

Passage MakeLongContext(Scale scale, Names names, uint64_t seed, int64_t index) {
  return scale == Scale::kPaper ? MakePaperLongContext(seed, index)
                                : MakePocketPassage(names, seed, index);
}

constexpr GeneratorParameter kParameters[] = {
    {"scale", "pocket", "paper | pocket",
     "a passage of about 1,100 words, or one of about 190 worded for the pocket models"},
    {"passages", "", "1 to 1000000", "how many passages; each has 10 questions"},
    {"seed", "0", "0 to 2^64 - 1", "equal seeds give equal passages"},
};

}  // namespace

extern const GeneratorInfo kLongContext = {
    .name = "long_context",
    .summary = "Facts of many entities, far apart between other sentences.",
    .source = "arXiv:2603.01426, section 2",
    .paper_passages = 100,
    .parameters = kParameters,
    .make = MakeLongContext,
};

}  // namespace kvscope::orchestrator
