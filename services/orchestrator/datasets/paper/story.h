// A passage before it is text: entities, facts about them, and the sentences that tell the facts.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "services/orchestrator/datasets/paper/names.h"
#include "services/orchestrator/datasets/paper/relation.h"
#include "services/orchestrator/datasets/passage.h"

namespace kvscope::orchestrator::paper {

inline constexpr int kNobody = -1;

struct Fact {
  int subject = kNobody;               // index into Story::entities
  const Relation* relation = nullptr;  // one of these two
  const PairRelation* pair = nullptr;
  int part = 0;  // of a pair: 0 or 1
  Name value;
  int value_entity = kNobody;  // where the value is an entity of the story
};

struct Sentence {
  int subject = kNobody;   // whom the slots below mean; nobody: scenery
  std::string pattern;     // see relation.h; {0} and {1} are the values of facts, {0v} bare
  std::vector<int> facts;  // indices into Story::facts
  bool by_name = false;    // {S} and {D} are the full name
  bool filler = false;     // tells nothing that is asked
  int64_t coin = 0;        // [0, 100): decides between ways to mention the subject
};

struct Paragraph {
  int focus = kNobody;  // whom it is about
  std::vector<Sentence> sentences;
};

struct Story {
  std::vector<Name> entities;
  std::vector<Fact> facts;
  std::vector<Paragraph> paragraphs;
};

struct RenderedStory {
  std::string text;
  std::vector<std::vector<Evidence>> mentions;  // of each entity: its full names, in order
  std::vector<Evidence> values;                 // of each fact: where its value stands
};

// Writes the story down.  A subject is a pronoun only where nobody else can be meant, else "the
// guild" once its noun is known, else its name.  The same story gives the same text.
RenderedStory Render(const Story& story);

// "the Merulin Glass Guild"
std::string WithArticle(const Name& name);

}  // namespace kvscope::orchestrator::paper
