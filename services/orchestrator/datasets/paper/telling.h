// Puts facts into sentences of many shapes, and fills a passage up to its length.
#pragma once

#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "services/orchestrator/datasets/paper/story.h"
#include "services/orchestrator/datasets/random.h"

namespace kvscope::orchestrator::paper {

// Writes one passage.  A text of the vocabulary is used again only when its list has no other.
class Teller {
 public:
  explicit Teller(Random& random) : random_(random), names_(random) {}

  const Story& story() const { return story_; }

  // ---- what there is to tell; each returns the new one's index

  int AddEntity(Kind kind);
  // What `subject` has of `kind`: a value of its own, or the entity `value_entity`.
  int AddFact(int subject, Kind kind, int value_entity = kNobody);
  // One for each kind, with values of their own.
  std::vector<int> AddFacts(int subject, std::span<const Kind> kinds);
  // Both parts of the subject's pair (0 or 1), part 0 first.
  std::vector<int> AddPair(int subject, size_t pair);

  // ---- telling it

  void BeginParagraph(int focus);
  // Introduces the focus by its name, saying what it is.
  void Open();
  // Tells facts of one subject, one or two a sentence, in order.  `by_name` of 100 sentences have
  // the subject's full name.
  void Tell(std::span<const int> facts, int64_t by_name = 0);
  // One sentence about somebody new of the same kind as the subject of these facts, with other
  // values of the same attributes: one or two, the first that are no pair's.
  void Aside(std::span<const int> like);

  // Adds remarks and scenery until the text has `words` words, give or take kSlack.  False if it
  // had more to begin with, or ran out of sentences.
  bool FillTo(int64_t words);
  static constexpr int64_t kSlack = 5;  // words: shorter than any sentence

  Random& random() { return random_; }

  template <typename Items>
  void Shuffle(Items&& items) {
    for (size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[random_.Below(i)]);
  }
  // One that was not used before, where there is one.
  std::string_view PickUnused(const Texts& texts);

 private:
  void Add(Sentence sentence);
  const Name& SubjectOf(int fact) const;
  Texts PhrasesOf(int fact) const;
  std::string_view PickPhrase(int fact, bool plain);
  Sentence TellOne(int fact);
  Sentence TellTwo(int first, int second);
  bool MayJoin(int first, int second) const;
  Sentence NewSentence(int subject);
  bool AddFiller(int64_t need);
  std::pair<size_t, size_t> FillerPlace();

  Random& random_;
  NameMaker names_;
  Story story_;
  std::set<std::string_view> used_;
};

}  // namespace kvscope::orchestrator::paper
