// multi_presence: one entity is mentioned many times; which mention answers?
// Source: arXiv:2603.01426, section 2.
#include "absl/strings/str_cat.h"
#include "services/orchestrator/datasets/generator.h"
#include "services/orchestrator/datasets/paper/suites.h"
#include "services/orchestrator/datasets/pocket_story.h"

namespace kvscope::orchestrator {
namespace {

constexpr size_t kQuestions = 10;

constexpr Relation kRelations[] = {Relation::kJob,   Relation::kHome,  Relation::kPet,
                                   Relation::kOwn,   Relation::kJoin,  Relation::kWin,
                                   Relation::kCount, Relation::kMarry, Relation::kArrive};

// "Which two places did X travel to?": both, in the order in which they stand.
Question AskBoth(const PocketStory& story, size_t first, size_t second) {
  const auto [subject, place] = story.Statements(first).front();
  const auto [again, other] = story.Statements(second).front();
  const bool ordered = place.start < other.start;
  Question question;
  question.question =
      absl::StrCat("Which two places did ", story.fact(first).subject, " travel to?");
  question.answer = absl::StrCat(story.fact(ordered ? first : second).value, " and ",
                                 story.fact(ordered ? second : first).value);
  question.direction = kForward;
  question.answer_type = "Location";
  question.question_type = kPart;
  question.evidence = {ordered ? place : other, ordered ? other : place};
  question.support = {ordered ? subject : again, ordered ? again : subject};
  return question;
}

// A subject with 4 attributes, one of them stated twice, and two others with some of the same
// kinds; in every other passage the subject also travels to two places.
void WritePocketPassage(Random& random, Names names, Passage& passage) {
  PocketStory story(random, names);
  std::vector<Relation> relations(std::begin(kRelations), std::end(kRelations));
  Shuffle(relations, random);
  relations.resize(4);
  const std::string subject = story.world().Person();
  std::vector<size_t> facts;
  facts.reserve(2 * relations.size());
  for (const Relation relation : relations) facts.push_back(story.Add(relation, subject));
  const std::string others[] = {story.world().Person(), story.world().Person()};
  for (size_t i = 0; i < 4; ++i) {
    if (i < 2 || random.OneIn(3)) facts.push_back(story.Add(relations[i], others[i % 2]));
  }
  const size_t repeated = facts[0];
  std::vector<size_t> order = facts;
  order.push_back(repeated);
  const bool travels = random.OneIn(2);
  std::vector<size_t> trips;
  if (travels)
    trips = {story.Add(Relation::kTravel, subject), story.Add(Relation::kTravel, subject)};
  order.insert(order.end(), trips.begin(), trips.end());
  Shuffle(order, random);
  for (const size_t fact : order) {
    if (story.Statements(fact).empty()) {
      story.State(fact);
    } else {
      story.Restate(fact);
    }
    if (random.OneIn(4)) story.Remark();
  }
  passage.context = story.text();
  AskBothWays(story, facts, kQuestions / 2 - travels, kQuestions / 2, random, passage.questions);
  if (travels) passage.questions.push_back(AskBoth(story, trips[0], trips[1]));
}

}  // namespace

extern const GeneratorInfo kMultiPresence = {
    .name = "multi_presence",
    .summary = "One entity mentioned many times, some facts twice; which mention answers?",
    .source = "arXiv:2603.01426, section 2",
    .paper_passages = 100,
    .make_paper = MakePaperMultiPresence,
    .write_pocket = WritePocketPassage,
};

}  // namespace kvscope::orchestrator
