// A passage of the pocket scale while it is written: facts, the sentences that state them, and the
// questions about them.  Words and wordings are few, so that a model of a million weights reads
// them; the paper's scale has a richer grammar of its own.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "services/orchestrator/datasets/marked_text.h"
#include "services/orchestrator/datasets/passage.h"
#include "services/orchestrator/datasets/pocket_world.h"
#include "services/orchestrator/datasets/random.h"

namespace kvscope::orchestrator {

// What a fact says of its subject.
enum class Relation {
  kBirth,       // the day
  kStudy,       // a university
  kJob,         //
  kHome,        // a place
  kBirthplace,  //
  kPet,         // an invented creature
  kOwn,         // a thing
  kJoin,        // an organization
  kCount,       // a number of some goods
  kArrive,      // a day
  kLeave,       // a time
  kWin,         // an event
  kTravel,      // a place
  kMarry,       // a person
  kLink,        // a person: mentor, teacher, ...
  kEmployer,    // an organization
  kSeat,        // where an organization is based
};

struct Fact {
  Relation relation;
  std::string subject;
  std::string value;
  std::string noun;  // the goods counted, the kind of link; else empty
};

// The subject as a sentence calls it.
struct Called {
  std::string_view pronoun;  // "They", "He", "She"; empty: by name
};

class PocketStory {
 public:
  PocketStory(Random& random, Names names) : random_(random), world_(random, names) {}

  PocketWorld& world() { return world_; }
  const Fact& fact(size_t index) const { return facts_[index]; }
  const std::string& text() const { return text_.text(); }

  // Adds a fact and returns its index.  Without a value one is drawn.
  size_t Add(Relation relation, std::string subject);
  size_t Add(Relation relation, std::string subject, std::string value, std::string noun = "");

  // Adds a link of a drawn kind between two persons.
  size_t AddLink(std::string subject, std::string value);

  // Writes a sentence that states the fact, with one of its relation's wordings.  With a pronoun
  // the last person named is meant.  Seven in ten take the first wording.
  void State(size_t fact, Called called = {});
  // The same with a wording that was not used for this fact yet, if there is one.
  void Restate(size_t fact);
  // Writes a sentence without any fact.
  void Remark();

  // Questions about what was written; of an attribute, the value (forward) or the subject
  // (reverse).  One of several wordings is drawn.
  Question AskForward(size_t fact);
  Question AskReverse(size_t fact);
  // "She worked as a baker. Who is she?": the fact's first wording put with a pronoun.
  std::string AskWith(size_t fact, std::string_view pronoun) const;
  // What the last fact of a chain says: each fact's value is the next one's subject.
  Question AskChain(std::string question, std::span<const size_t> chain);

  // The spans where `name` was written as somebody's or something's name.
  std::vector<Evidence> Mentions(std::string_view name) const;
  // Where the fact was stated: its subject (as last named) and its value.
  std::vector<std::pair<Evidence, Evidence>> Statements(size_t fact) const;

 private:
  struct Mention {
    std::string name;
    Evidence span;
  };
  struct Statement {
    size_t fact;
    size_t wording;
    Evidence subject, value;
  };

  void Write(size_t fact, size_t wording, Called called);
  Evidence WriteName(std::string_view name);
  std::string Render(std::string_view wording, const Fact& fact) const;

  Random& random_;
  PocketWorld world_;
  MarkedText text_;
  std::vector<Fact> facts_;
  std::vector<Mention> mentions_;
  std::vector<Statement> statements_;
};

// Whether every answer stands in the context only where its evidence says, letter case and word
// borders aside: "Elton" within "Kelton" would be counted among the answer's tokens.  An answer
// gathered from several regions is looked for region by region.
bool AnswersAreUnambiguous(const Passage& passage);

// Drops questions of one direction, drawn evenly, until `count` are left.
void KeepSome(std::string_view direction, size_t count, Random& random,
              std::vector<Question>& questions);

// Asks for every fact both ways, and keeps so many questions of each direction.
void AskBothWays(PocketStory& story, std::span<const size_t> facts, size_t forward, size_t reverse,
                 Random& random, std::vector<Question>& questions);

// Orders `items` anew, evenly over all orders.
template <typename T>
void Shuffle(std::vector<T>& items, Random& random) {
  for (size_t left = items.size(); left > 1; --left) {
    std::swap(items[left - 1], items[random.Below(left)]);
  }
}

}  // namespace kvscope::orchestrator
