// base: one subject, its attributes, and others of its kind in passing.
#include "services/orchestrator/datasets/paper/asking.h"
#include "services/orchestrator/datasets/paper/passage_writing.h"
#include "services/orchestrator/datasets/paper/suites.h"
#include "services/orchestrator/datasets/paper/telling.h"

namespace kvscope::orchestrator {
namespace paper {
namespace {

constexpr int64_t kShortOne = 199;  // of 200 passages, the one with 5 questions

// A number, a date and 3 or 4 more attributes, in a drawn order.
std::vector<int> AddAttributes(Teller& teller, int subject) {
  std::vector<Kind> kinds = EntityKinds();
  teller.Shuffle(kinds);
  kinds.resize(static_cast<size_t>(teller.random().Between(4, 5)));
  kinds.push_back(Kind::kNumeral);
  kinds.push_back(Kind::kDate);
  teller.Shuffle(kinds);
  return teller.AddFacts(subject, kinds);
}

bool WriteBase(Kind kind, bool with_part, bool short_one, Random& random, Passage& passage) {
  Teller teller(random);
  const int subject = teller.AddEntity(kind);
  const std::vector<int> facts = AddAttributes(teller, subject);
  std::vector<int> pair;
  if (with_part) pair = teller.AddPair(subject, random.Below(2));
  const std::span<const int> all(facts);
  teller.BeginParagraph(subject);
  teller.Open();
  teller.Tell(all.first(3));
  if (random.OneIn(2)) teller.Aside(all.subspan(1, 2));
  if (with_part) teller.Tell(std::span(pair).first(1));
  teller.BeginParagraph(subject);
  teller.Tell(all.subspan(3, 2), 30);
  teller.Aside(all.subspan(3, 1 + random.Below(2)));
  if (with_part) teller.Tell(std::span(pair).last(1));
  teller.Tell(all.subspan(5));
  if (!teller.FillTo(DrawLength(*FindSuiteRule("base", Scale::kPaper), random))) return false;

  const RenderedStory rendered = Render(teller.story());
  passage.context = rendered.text;
  Asker asker(teller.story(), rendered, random);
  std::vector<int> left = facts;
  if (with_part) passage.questions.push_back(asker.Part(pair));
  for (const int fact : DrawForward(teller.story(), with_part ? 2 : 3, random, left)) {
    passage.questions.push_back(asker.Forward(fact, random.OneIn(3)));
  }
  teller.Shuffle(left);
  for (size_t i = 0; i < (short_one ? 2 : 3); ++i) {
    passage.questions.push_back(asker.Reverse(left[i], random.OneIn(4)));
  }
  ShuffleQuestions(random, passage.questions);
  return true;
}

}  // namespace
}  // namespace paper

Passage MakePaperBase(uint64_t seed, int64_t index) {
  const auto kind = static_cast<paper::Kind>(index % paper::kEntityKinds);
  const bool with_part = index / paper::kEntityKinds % 2 == 0;
  return paper::WritePassage("base", seed, index, [&](Random& random, Passage& passage) {
    return paper::WriteBase(kind, with_part, index % 200 == paper::kShortOne, random, passage);
  });
}

}  // namespace kvscope::orchestrator
