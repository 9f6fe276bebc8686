// coreference: two persons told apart by their pronouns; the wrong pronoun has no answer.
// Source: arXiv:2603.01426, section 2.
#include <array>

#include "absl/strings/str_cat.h"
#include "services/orchestrator/datasets/generator.h"
#include "services/orchestrator/datasets/paper/suites.h"
#include "services/orchestrator/datasets/pocket_story.h"

namespace kvscope::orchestrator {
namespace {

constexpr size_t kForwardQuestions = 3;  // and one about somebody who is not there

constexpr Relation kRelations[] = {Relation::kJob,    Relation::kHome, Relation::kPet,
                                   Relation::kOwn,    Relation::kJoin, Relation::kTravel,
                                   Relation::kArrive, Relation::kWin};

constexpr std::string_view kPronouns[] = {"He", "She"};

std::string_view PronounOf(Gender gender) { return kPronouns[gender == Gender::kFemale]; }

// "She worked as a baker. Who is she?": the reverse question of a fact, put with a pronoun.
// Where that is not its subject's, nobody fits.
Question AskPronoun(PocketStory& story, size_t fact, std::string_view pronoun, bool fits) {
  Question question = story.AskReverse(fact);
  question.question = story.AskWith(fact, pronoun);
  if (!fits) {
    question.answer = kUnknownAnswer;
    question.evidence.clear();
  }
  return question;
}

// A question about somebody whom the passage does not have.
Question AskAbsent(Relation relation, PocketStory& story) {
  const size_t fact = story.Add(relation, story.world().Person());
  Question question = story.AskForward(fact);
  question.answer = kUnknownAnswer;
  return question;
}

// A man and a woman, in turn, each by name first and then by pronoun.
void WritePocketPassage(Random& random, Names names, Passage& passage) {
  PocketStory story(random, names);
  std::vector<Relation> relations(std::begin(kRelations), std::end(kRelations));
  Shuffle(relations, random);
  relations.resize(static_cast<size_t>(random.Between(2, 3)));
  relations.insert(relations.begin(), Relation::kBirthplace);
  std::vector<Gender> genders = {Gender::kMale, Gender::kFemale};
  Shuffle(genders, random);
  std::vector<std::pair<size_t, Gender>> facts;
  for (const Gender gender : genders) {
    const std::string person = story.world().Person(gender);
    for (const Relation relation : relations) {
      facts.emplace_back(story.Add(relation, person), gender);
      const bool named = relation == Relation::kBirthplace;
      story.State(facts.back().first, {named ? std::string_view() : PronounOf(gender)});
    }
  }
  passage.context = story.text();
  for (const auto& [fact, gender] : facts) {
    passage.questions.push_back(story.AskForward(fact));
  }
  KeepSome(kForward, kForwardQuestions, random, passage.questions);
  passage.questions.push_back(AskAbsent(relations[random.Below(relations.size())], story));
  // of five more, each about another fact: one by its value, two by the right pronoun, two by the
  // wrong one
  Shuffle(facts, random);
  for (size_t i = 0; i < 5; ++i) {
    const auto& [fact, gender] = facts[i];
    const bool fits = i < 3;
    const Gender asked = fits == (gender == Gender::kMale) ? Gender::kMale : Gender::kFemale;
    passage.questions.push_back(i == 0 ? story.AskReverse(fact)
                                       : AskPronoun(story, fact, PronounOf(asked), fits));
  }
}

}  // namespace

extern const GeneratorInfo kCoreference = {
    .name = "coreference",
    .summary = "Pronouns that lead to a person, and some that lead to nobody: `I dont know`.",
    .source = "arXiv:2603.01426, section 2",
    .paper_passages = 8000,
    .make_paper = MakePaperCoreference,
    .write_pocket = WritePocketPassage,
};

}  // namespace kvscope::orchestrator
