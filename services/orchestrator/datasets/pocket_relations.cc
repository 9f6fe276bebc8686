#include "services/orchestrator/datasets/pocket_relations.h"

#include <cstdlib>

namespace kvscope::orchestrator {
namespace {

RelationWords MakeWords(Relation relation) {
  switch (relation) {
    case Relation::kBirth:
      return {"Dates/Times",
              "Person",
              {"{s} was born on {v}."},
              {"When was {s} born?"},
              {"Who was born on {v}?"}};
    case Relation::kStudy:
      return {"Organization",
              "Person",
              {"{s} studied in {v}.", "{s} studied at {v}."},
              {"Where did {s} study?"},
              {"Who studied at {v}?", "Who studied in {v}?"}};
    case Relation::kJob:
      return {
          "Thing",
          "Person",
          {"{s} worked as {a}.", "{s} had a job as {a}.", "For years {s} made a living as {a}."},
          {"What was the job of {s}?", "What did {s} work as?"},
          {"Who worked as {a}?"}};
    case Relation::kHome:
      return {"Location",
              "Person",
              {"{s} lived in {v}.", "{s} had a home in {v}.", "The house of {s} stood in {v}."},
              {"Where did {s} live?"},
              {"Who lived in {v}?"}};
    case Relation::kBirthplace:
      return {"Location",
              "Person",
              {"{s} was born in {v}."},
              {"Where was {s} born?"},
              {"Who was born in {v}?"}};
    case Relation::kPet:
      return {"Creature",
              "Person",
              {"{s} kept {a}.", "{s} raised {a}.", "{a} was the pet of {s}."},
              {"Which creature did {s} keep?"},
              {"Who kept {a}?"}};
    case Relation::kOwn:
      return {"Thing",
              "Person",
              {"{s} owned {a}.", "{s} carried {a}.", "The {v} belonged to {s}."},
              {"What did {s} own?"},
              {"Who owned the {v}?"}};
    case Relation::kJoin:
      return {"Organization",
              "Person",
              {"{s} joined {v}.", "{s} became a member of {v}."},
              {"What group did {s} join?"},
              {"Who joined {v}?"}};
    case Relation::kCount:
      return {"Numerals",
              "Person",
              {"{s} counted {v} {n}.", "{s} sold {v} {n}.", "In all {s} stored {v} {n}."},
              {"How many {n} did {s} have?"},
              {"Who had {v} {n}?"}};
    case Relation::kArrive:
      return {"Dates/Times",
              "Person",
              {"{s} arrived on {v}.", "{s} came to town on {v}."},
              {"When did {s} arrive?"},
              {"Who arrived on {v}?"}};
    case Relation::kLeave:
      return {"Dates/Times",
              "Person",
              {"{s} left at {v}.", "{s} went away at {v}."},
              {"At what time did {s} leave?"},
              {"Who left at {v}?"}};
    case Relation::kWin:
      return {"Events",
              "Person",
              {"{s} won {v}.", "{s} took first place at {v}."},
              {"Which event did {s} win?"},
              {"Who won {v}?"}};
    case Relation::kTravel:
      return {"Location",
              "Person",
              {"{s} travelled to {v}.", "{s} took a boat to {v}."},
              {"Where did {s} travel?"},
              {"Who travelled to {v}?"}};
    case Relation::kMarry:
      return {"Person",
              "Person",
              {"{s} married {v}.", "The spouse of {s} was {v}."},
              {"Who was the spouse of {s}?"},
              {"Who married {v}?"}};
    case Relation::kLink:
      return {"Person",
              "Person",
              {"The {n} of {s} was {v}."},
              {"Who was the {n} of {s}?"},
              {"Whose {n} was {v}?"}};
    case Relation::kEmployer:
      return {"Organization",
              "Person",
              {"The employer of {s} was {v}."},
              {"What was the employer of {s}?"},
              {"Whose employer was {v}?"}};
    case Relation::kSeat:
      return {"Location",
              "Organization",
              {"{s} was based in {v}."},
              {"Where was {s} based?"},
              {"What was based in {v}?"}};
  }
  std::abort();
}

}  // namespace

const RelationWords& WordsOf(Relation relation) {
  static const std::vector<RelationWords> words = [] {
    std::vector<RelationWords> all;
    for (int i = 0; i <= static_cast<int>(Relation::kSeat); ++i) {
      all.push_back(MakeWords(static_cast<Relation>(i)));
    }
    return all;
  }();
  return words[static_cast<size_t>(relation)];
}

}  // namespace kvscope::orchestrator
