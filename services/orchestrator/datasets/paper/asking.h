// Questions about a story, each with its answer, tags and spans.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "services/orchestrator/datasets/paper/story.h"
#include "services/orchestrator/datasets/passage.h"
#include "services/orchestrator/datasets/random.h"

namespace kvscope::orchestrator::paper {

class Asker {
 public:
  Asker(const Story& story, const RenderedStory& rendered, Random& random)
      : story_(story), rendered_(rendered), random_(random) {}

  // For the value of a fact, from its subject.  Manipulated: for a date's year, for a person's
  // first or last name; other kinds know no such question and stay Standard.
  Question Forward(int fact, bool manipulated);
  // For both values of a pair, whose facts these are: "A and B".
  Question Part(std::span<const int> pair);
  // For the subject of a fact, from its value.  Manipulated: for a person's first or last name, for
  // the first word of a thing's, organization's or event's.
  Question Reverse(int fact, bool manipulated);

  // From the subject of the first link, along the links, for the value of `fact`, which is said of
  // the last link's value.
  Question ForwardChain(std::span<const int> links, int fact, bool manipulated);
  // From the value of `fact` back to the subject of the first link.
  Question ReverseChain(std::span<const int> links, int fact);

 private:
  Question Tagged(std::string_view direction, Kind answer, int64_t hop) const;
  void AnswerWith(const Name& name, const std::vector<Evidence>& at, Question& question) const;
  // Wording for one of a name's words; true where the kind has such a question.
  bool AskForWord(const Name& name, const std::string& who, Question& question);
  void NarrowTo(std::string_view word, Question& question) const;
  std::string ReversePhrase(const Fact& fact, std::string_view value, bool whole);
  void SupportChain(std::span<const int> links, Question& question) const;
  const Fact& At(int fact) const { return story_.facts[static_cast<size_t>(fact)]; }
  const Name& Entity(int entity) const { return story_.entities[static_cast<size_t>(entity)]; }
  const std::vector<Evidence>& Mentions(int entity) const {
    return rendered_.mentions[static_cast<size_t>(entity)];
  }
  Evidence ValueAt(int fact) const { return rendered_.values[static_cast<size_t>(fact)]; }

  const Story& story_;
  const RenderedStory& rendered_;
  Random& random_;
};

// Whether every answer stands in the context, without regard to case, exactly where its evidence
// says; the parts of an answer "A and B" do, and the whole does not.
bool IsGrounded(const Passage& passage);

// Draws `count` of the facts, without putting back: dates and numbers, which nothing is the
// subject of, five times as often as the rest.  They leave `facts`.
std::vector<int> DrawForward(const Story& story, size_t count, Random& random,
                             std::vector<int>& facts);

}  // namespace kvscope::orchestrator::paper
