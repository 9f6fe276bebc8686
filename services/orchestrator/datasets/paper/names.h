// What the paper-sized suites speak of: invented names of every kind, numbers and dates.
#pragma once

#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "services/orchestrator/datasets/random.h"

namespace kvscope::orchestrator::paper {

// The paper's eight answer types.  The first six are kinds of entity, which have attributes.
enum class Kind { kPerson, kThing, kOrganization, kCreature, kLocation, kEvent, kNumeral, kDate };
inline constexpr int kEntityKinds = 6;
inline constexpr int kKinds = 8;

// The kinds of entity in order, without those left out.
std::vector<Kind> EntityKinds(std::span<const Kind> left_out = {});

std::string_view AnswerType(Kind kind);   // the tag: "Events"
std::string_view GenericNoun(Kind kind);  // of an entity: "organization"

struct Name {
  Kind kind = Kind::kPerson;
  std::string text;      // "Merulin Glass Guild"; ASCII, no article
  std::string_view the;  // what stands before it in a sentence: "the " or nothing
  std::string noun;      // what it is, where it has a word for it: "guild", "engraver"
  std::string first;     // of a person
  std::string last;      // of a person; the year of a date
  bool female = false;   // of a person
};

// Draws the names of one passage.  No word of a name, no number and no year comes twice; numbers
// lie close together, and so do dates, so that every one has near misses.
class NameMaker {
 public:
  explicit NameMaker(Random& random);

  // With a noun that no other name of this passage has: it can be spoken of as "the guild".
  // At most 9 of a kind.
  Name Entity(Kind kind);
  // Only to be named, once: its noun is not that of any entity drawn before.
  Name Value(Kind kind);

 private:
  Name Make(Kind kind, bool entity);
  Name Person();
  std::string Stem();
  Name Titled(Kind kind, bool entity);
  Name Creature();
  Name Location();
  Name Numeral();
  Name Date();
  std::string Noun(Kind kind, bool entity);
  bool Use(const std::string& word) { return used_.insert(word).second; }

  Random& random_;
  int64_t number_low_;
  int64_t year_low_;
  std::set<std::string> used_;
  std::set<std::string> nouns_;
};

}  // namespace kvscope::orchestrator::paper
