#include "services/orchestrator/datasets/paper/telling.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "services/orchestrator/datasets/grounding.h"
#include "services/orchestrator/datasets/paper/wording.h"

namespace kvscope::orchestrator::paper {
namespace {

// What may stand before a sentence in any tense.
const Texts& Adverbials() {
  static const Texts texts = {"By all accounts",
                              "As far as anyone recalls",
                              "According to the parish records",
                              "As the older residents tell it",
                              "Oddly enough",
                              "To nobody's surprise",
                              "Strictly speaking",
                              "As every guidebook notes",
                              "If the almanac is right",
                              "In the opinion of most",
                              "As the letters of the time confirm",
                              "Unlike many others",
                              "For reasons no longer known",
                              "As a brass plate explains",
                              "According to a much-read pamphlet",
                              "As visitors are always told"};
  return texts;
}

// Whether more can follow with "and" and still be said of the subject.
bool IsPlain(std::string_view phrase) {
  for (const std::string_view subordinate :
       {",", " that ", " who ", " which ", " where ", " until ", " because "}) {
    if (Contains(phrase, subordinate)) return false;
  }
  return true;
}

std::string WithValue(std::string_view text, int place) {
  const std::string number = std::to_string(place);
  return WithSlot(WithSlot(text, "{V}", Joined({"{", number, "}"})), "{v}",
                  Joined({"{", number, "v}"}));
}

void FillSlots(Random& random, std::string& pattern) {
  for (const ScenerySlot& slot : ScenerySlots()) {
    if (Contains(pattern, slot.slot))
      pattern = WithSlot(pattern, slot.slot, random.Pick(slot.words));
  }
}

constexpr int64_t kShortestFiller = 6;  // words

}  // namespace

int Teller::AddEntity(Kind kind) {
  story_.entities.push_back(names_.Entity(kind));
  return static_cast<int>(story_.entities.size()) - 1;
}

int Teller::AddFact(int subject, Kind kind, int value_entity) {
  Fact fact;
  fact.subject = subject;
  const Kind subject_kind = story_.entities[static_cast<size_t>(subject)].kind;
  fact.relation = &VocabularyOf(subject_kind).relations[static_cast<size_t>(kind)];
  fact.value_entity = value_entity;
  fact.value = value_entity == kNobody ? names_.Value(kind)
                                       : story_.entities[static_cast<size_t>(value_entity)];
  story_.facts.push_back(std::move(fact));
  return static_cast<int>(story_.facts.size()) - 1;
}

std::vector<int> Teller::AddFacts(int subject, std::span<const Kind> kinds) {
  std::vector<int> facts;
  facts.reserve(kinds.size());
  for (const Kind kind : kinds) facts.push_back(AddFact(subject, kind));
  return facts;
}

std::vector<int> Teller::AddPair(int subject, size_t pair) {
  std::vector<int> facts;
  const Kind subject_kind = story_.entities[static_cast<size_t>(subject)].kind;
  for (int part = 0; part < 2; ++part) {
    Fact fact;
    fact.subject = subject;
    fact.pair = &VocabularyOf(subject_kind).pairs[pair];
    fact.part = part;
    fact.value = names_.Value(fact.pair->value);
    facts.push_back(static_cast<int>(story_.facts.size()));
    story_.facts.push_back(std::move(fact));
  }
  return facts;
}

std::string_view Teller::PickUnused(const Texts& texts) {
  Texts fresh;
  for (const std::string_view text : texts) {
    if (used_.count(text) == 0) fresh.push_back(text);
  }
  const std::string_view picked = random_.Pick(fresh.empty() ? texts : fresh);
  used_.insert(picked);
  return picked;
}

void Teller::BeginParagraph(int focus) { story_.paragraphs.push_back({focus, {}}); }

void Teller::Add(Sentence sentence) {
  story_.paragraphs.back().sentences.push_back(std::move(sentence));
}

Sentence Teller::NewSentence(int subject) {
  Sentence sentence;
  sentence.subject = subject;
  sentence.coin = random_.Between(0, 99);
  return sentence;
}

void Teller::Open() {
  Sentence sentence = NewSentence(story_.paragraphs.back().focus);
  const Kind kind = story_.entities[static_cast<size_t>(sentence.subject)].kind;
  sentence.pattern = PickUnused(VocabularyOf(kind).openings);
  Add(std::move(sentence));
}

const Name& Teller::SubjectOf(int fact) const {
  return story_.entities[static_cast<size_t>(story_.facts[static_cast<size_t>(fact)].subject)];
}

Texts Teller::PhrasesOf(int index) const {
  const Fact& fact = story_.facts[static_cast<size_t>(index)];
  if (fact.relation != nullptr) return fact.relation->phrases;
  return fact.part == 0 ? fact.pair->first : fact.pair->second;
}

// Every list has a plain one.
std::string_view Teller::PickPhrase(int fact, bool plain) {
  Texts phrases = PhrasesOf(fact);
  if (plain) std::erase_if(phrases, [](std::string_view phrase) { return !IsPlain(phrase); });
  return PickUnused(phrases);
}

Sentence Teller::TellOne(int index) {
  const Fact& fact = story_.facts[static_cast<size_t>(index)];
  Sentence sentence = NewSentence(fact.subject);
  sentence.facts = {index};
  const uint64_t shape = random_.Below(fact.relation != nullptr ? 10 : 5);
  if (fact.relation != nullptr && shape >= 5) {
    sentence.pattern = WithValue(PickUnused(fact.relation->sentences), 0);
  } else {
    sentence.pattern = Joined({"{S} ", WithValue(PickPhrase(index, /*plain=*/false), 0)});
    if (shape == 0) sentence.pattern = Joined({PickUnused(Adverbials()), ", ", sentence.pattern});
  }
  return sentence;
}

// The two of a pair are told apart.
bool Teller::MayJoin(int first, int second) const {
  const Fact& one = story_.facts[static_cast<size_t>(first)];
  const Fact& other = story_.facts[static_cast<size_t>(second)];
  return one.subject == other.subject && (one.pair == nullptr || one.pair != other.pair);
}

// With a pronoun only where it cannot mean the first value.
Sentence Teller::TellTwo(int first, int second) {
  const Name& subject = SubjectOf(first);
  Sentence sentence = NewSentence(story_.facts[static_cast<size_t>(first)].subject);
  sentence.facts = {first, second};
  const Kind value = story_.facts[static_cast<size_t>(first)].value.kind;
  const bool pronoun_is_clear = value == Kind::kNumeral || value == Kind::kDate ||
                                (value == Kind::kPerson) != (subject.kind == Kind::kPerson);
  const std::string one = WithValue(PickPhrase(first, /*plain=*/true), 0);
  const std::string two = WithValue(PickPhrase(second, /*plain=*/false), 1);
  const std::string_view who = subject.kind == Kind::kPerson ? "who" : "which";
  switch (random_.Below(pronoun_is_clear ? 6 : 4)) {
    case 0:
    case 1:
      sentence.pattern = Joined({"{S} ", one, " and ", two});
      break;
    case 2:
      sentence.pattern = Joined({"{D}, ", who, " ", one, ", ", two});
      break;
    case 3:
      sentence.pattern = Joined({PickUnused(Adverbials()), ", {S} ", one, " and ", two});
      break;
    case 4:
      sentence.pattern = Joined({"{S} ", one, "; {he} ", two});
      break;
    default:
      sentence.pattern = Joined({"{S} ", one, ", and {he} ", two});
      break;
  }
  return sentence;
}

void Teller::Tell(std::span<const int> facts, int64_t by_name) {
  for (size_t i = 0; i < facts.size(); ++i) {
    const bool two =
        i + 1 < facts.size() && MayJoin(facts[i], facts[i + 1]) && random_.Below(5) < 2;
    Sentence sentence = two ? TellTwo(facts[i], facts[i + 1]) : TellOne(facts[i]);
    i += two;
    sentence.by_name = random_.Between(0, 99) < by_name;
    Add(std::move(sentence));
  }
}

void Teller::Aside(std::span<const int> like) {
  const Kind kind = SubjectOf(like.front()).kind;
  Sentence sentence = NewSentence(AddEntity(kind));
  for (const int model : like) {
    const Fact& fact = story_.facts[static_cast<size_t>(model)];
    if (fact.relation == nullptr || sentence.facts.size() == 2) continue;
    sentence.facts.push_back(AddFact(sentence.subject, fact.value.kind));
  }
  const bool two = sentence.facts.size() == 2;
  sentence.pattern = Joined({PickUnused(VocabularyOf(kind).appositions), " ",
                             WithValue(PickPhrase(sentence.facts[0], /*plain=*/two), 0)});
  if (two)
    sentence.pattern += Joined({" and ", WithValue(PickPhrase(sentence.facts[1], false), 1)});
  Add(std::move(sentence));
}

// After the sentence of that index; never two fillers in a row where it can be helped.
std::pair<size_t, size_t> Teller::FillerPlace() {
  std::pair<size_t, size_t> place;
  for (int tries = 0; tries < 12; ++tries) {
    place.first = random_.Below(story_.paragraphs.size());
    const std::vector<Sentence>& sentences = story_.paragraphs[place.first].sentences;
    place.second = random_.Below(sentences.size());
    const bool next = place.second + 1 < sentences.size() && sentences[place.second + 1].filler;
    if (!sentences[place.second].filler && !next) break;
  }
  return place;
}

bool Teller::AddFiller(int64_t need) {
  const auto [paragraph, after] = FillerPlace();
  const int focus = story_.paragraphs[paragraph].focus;
  const Kind kind = story_.entities[static_cast<size_t>(focus)].kind;
  Texts remarks = VocabularyOf(kind).remarks;
  Texts scenery = Scenery();
  bool exact = false;  // what fills the rest exactly is taken before what leaves room for another
  const auto fits = [&](std::string_view text) {
    const int64_t left = need - CountWords(text);
    if (used_.count(text) > 0) return false;
    return exact ? left == 0 : left == 0 || left >= kShortestFiller;
  };
  exact = std::any_of(scenery.begin(), scenery.end(), [&](std::string_view text) {
    return CountWords(text) == need && fits(text);
  });
  std::erase_if(remarks, [&](std::string_view text) { return !fits(text); });
  std::erase_if(scenery, [&](std::string_view text) { return !fits(text); });
  const bool remark = !remarks.empty() && (scenery.empty() || random_.Below(5) < 2);
  if (!remark && scenery.empty()) return false;
  Sentence sentence = NewSentence(remark ? focus : kNobody);
  sentence.pattern = PickUnused(remark ? remarks : scenery);
  if (!remark) FillSlots(random_, sentence.pattern);
  sentence.filler = true;
  std::vector<Sentence>& sentences = story_.paragraphs[paragraph].sentences;
  sentences.insert(sentences.begin() + static_cast<std::ptrdiff_t>(after) + 1, std::move(sentence));
  return true;
}

bool Teller::FillTo(int64_t words) {
  for (int misses = 0; misses < 40;) {
    const int64_t need = words - CountWords(Render(story_).text);
    if (need < -kSlack) return false;
    if (need <= 0) return true;
    if (AddFiller(need)) continue;
    ++misses;  // nothing of that length is left here; elsewhere there may be
    if (need <= kSlack) return true;
  }
  return false;
}

}  // namespace kvscope::orchestrator::paper
