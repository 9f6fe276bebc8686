// What can be said and asked of an entity: the grammar's words, one table for each kind of subject.
//
// In every text {S} is the subject as fits (name, pronoun or "the guild"), {D} the subject but no
// pronoun, {he} {his} {him} its pronouns, {V} the value with its article, {v} without.  A
// possessive is {S's} or {D's}.
#pragma once

#include <string_view>
#include <vector>

#include "services/orchestrator/datasets/paper/names.h"

namespace kvscope::orchestrator::paper {

using Texts = std::vector<std::string_view>;

// One attribute; a subject has one value of it, and a value is said of one subject.
struct Relation {
  Kind value;
  Texts phrases;    // what follows the subject in a sentence
  Texts sentences;  // whole ones, without the full stop
  Texts forward;    // questions for the value
  Texts reverse;    // what follows "Who", "Which guild" or "the guild that" in one for the subject
  // Of a value that is an entity: what points at it from its subject, {n} being its noun, as in
  // "the {n} who founded {S}".  Questions over chains are built of these.
  std::string_view pointer;
  std::string_view chained;  // a question for the value that bears a long {S}
};

// An attribute with two values, told at two places and asked for together.
struct PairRelation {
  Kind value;
  Texts first, second;  // phrases, as above
  Texts forward;        // questions for both
  std::string_view reverse;
};

struct Vocabulary {
  std::vector<Relation> relations;  // one for each kind of value, in Kind's order
  std::vector<PairRelation> pairs;  // two
  Texts openings;                   // sentences that introduce {F}, the name, as {a n}
  Texts appositions;                // what may follow the name of somebody mentioned in passing
  Texts remarks;                    // sentences about the subject that answer nothing
};

const Vocabulary& VocabularyOf(Kind subject);

// One each in vocabulary_*.cc.
Vocabulary PersonVocabulary();
Vocabulary ThingVocabulary();
Vocabulary OrganizationVocabulary();
Vocabulary CreatureVocabulary();
Vocabulary LocationVocabulary();
Vocabulary EventVocabulary();

// Sentences about weather, roads and kitchens: no names, no answers.  Some have slots, each for one
// word of a list.
const Texts& Scenery();
struct ScenerySlot {
  std::string_view slot;
  Texts words;
};
const std::vector<ScenerySlot>& ScenerySlots();

}  // namespace kvscope::orchestrator::paper
