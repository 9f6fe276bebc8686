// multi_entity: several linked entities that share their kinds of attributes.
// Source: arXiv:2603.01426, section 2.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/orchestrator/datasets/generator.h"
#include "services/orchestrator/datasets/paper/suites.h"
#include "services/orchestrator/datasets/pocket_story.h"

namespace kvscope::orchestrator {
namespace {

constexpr size_t kQuestions = 10;

constexpr Relation kRelations[] = {Relation::kJob,   Relation::kHome,   Relation::kPet,
                                   Relation::kOwn,   Relation::kJoin,   Relation::kTravel,
                                   Relation::kLeave, Relation::kArrive, Relation::kCount,
                                   Relation::kStudy, Relation::kWin,    Relation::kBirth};

// Turns "Who lived in Delgate?" into "What is the last name of the person who lived in Delgate?".
void AskLastName(Question& question) {
  const std::vector<std::string> names = absl::StrSplit(question.answer, ' ');
  question.question =
      absl::StrCat("What is the last name of the person who", question.question.substr(3));
  question.answer = names[1];
  for (Evidence& span : question.evidence) {
    span.start = span.end - static_cast<int64_t>(names[1].size());
  }
  question.question_type = kManipulated;
}

// 3 to 5 persons, each with two attributes of the same two kinds, and one of them linked to
// another.
void WritePocketPassage(Random& random, Names names, Passage& passage) {
  PocketStory story(random, names);
  std::vector<Relation> relations(std::begin(kRelations), std::end(kRelations));
  Shuffle(relations, random);
  std::vector<std::string> persons(static_cast<size_t>(random.Between(3, 5)));
  for (std::string& person : persons) person = story.world().Person();
  std::vector<size_t> facts;
  for (const Relation relation : {relations[0], relations[1]}) {
    for (const std::string& person : persons) facts.push_back(story.Add(relation, person));
  }
  facts.push_back(story.AddLink(persons[0], persons[1]));
  std::vector<size_t> order = facts;
  Shuffle(order, random);
  for (const size_t fact : order) {
    story.State(fact);
    if (random.OneIn(5)) story.Remark();
  }
  passage.context = story.text();
  AskBothWays(story, facts, kQuestions / 2, kQuestions / 2, random, passage.questions);
  const auto who = std::find_if(passage.questions.begin(), passage.questions.end(),
                                [](const Question& q) { return q.question.starts_with("Who "); });
  if (who != passage.questions.end() && who->direction == kReverse) AskLastName(*who);
}

}  // namespace

extern const GeneratorInfo kMultiEntity = {
    .name = "multi_entity",
    .summary = "Several linked entities with the same kinds of attributes, asked both ways.",
    .source = "arXiv:2603.01426, section 2",
    .paper_passages = 100,
    .make_paper = MakePaperMultiEntity,
    .write_pocket = WritePocketPassage,
};

}  // namespace kvscope::orchestrator
