// multi_presence: one entity that nearly every sentence names; which mention answers?
#include "services/orchestrator/datasets/paper/asking.h"
#include "services/orchestrator/datasets/paper/passage_writing.h"
#include "services/orchestrator/datasets/paper/suites.h"
#include "services/orchestrator/datasets/paper/telling.h"

namespace kvscope::orchestrator {
namespace paper {
namespace {

constexpr size_t kParagraphs = 5;

// All its attributes and both its pairs; a pair's two facts lie in different paragraphs.
struct Presence {
  int subject = kNobody;
  std::vector<int> attributes;
  std::vector<int> pair, other_pair;
  std::vector<std::vector<int>> paragraphs;
};

Presence AddPresence(Teller& teller, Kind kind) {
  Presence presence;
  presence.subject = teller.AddEntity(kind);
  for (int value = 0; value < kKinds; ++value) {
    presence.attributes.push_back(teller.AddFact(presence.subject, static_cast<Kind>(value)));
  }
  const size_t first = teller.random().Below(2);
  presence.pair = teller.AddPair(presence.subject, first);
  presence.other_pair = teller.AddPair(presence.subject, 1 - first);
  std::vector<int> attributes = presence.attributes;
  teller.Shuffle(attributes);
  presence.paragraphs.resize(kParagraphs);
  for (size_t i = 0; i < attributes.size(); ++i) {
    presence.paragraphs[i % kParagraphs].push_back(attributes[i]);
  }
  presence.paragraphs[0].push_back(presence.pair[0]);
  presence.paragraphs[1].push_back(presence.other_pair[0]);
  presence.paragraphs[3].push_back(presence.pair[1]);
  presence.paragraphs[4].push_back(presence.other_pair[1]);
  return presence;
}

void Ask(Teller& teller, const Presence& presence, Passage& passage) {
  const RenderedStory rendered = Render(teller.story());
  passage.context = rendered.text;
  Random& random = teller.random();
  Asker asker(teller.story(), rendered, random);
  passage.questions.push_back(asker.Part(presence.pair));
  std::vector<int> left = presence.attributes;
  for (const int fact : DrawForward(teller.story(), 4, random, left)) {
    passage.questions.push_back(asker.Forward(fact, random.OneIn(3)));
  }
  left.push_back(presence.other_pair[random.Below(2)]);
  for (const int fact : left) {
    passage.questions.push_back(asker.Reverse(fact, random.OneIn(5)));
  }
  ShuffleQuestions(random, passage.questions);
}

bool WriteMultiPresence(Kind kind, Random& random, Passage& passage) {
  Teller teller(random);
  const Presence presence = AddPresence(teller, kind);
  for (size_t i = 0; i < kParagraphs; ++i) {
    teller.BeginParagraph(presence.subject);
    if (i == 0) teller.Open();
    teller.Tell(presence.paragraphs[i], /*by_name=*/75);
    teller.Aside(presence.paragraphs[i]);
    if (i > 1) teller.Aside(std::span<const int>(presence.attributes).subspan(2 * i - 2, 2));
  }
  const SuiteRule& rule = *FindSuiteRule("multi_presence", Scale::kPaper);
  if (!teller.FillTo(DrawLength(rule, random))) return false;
  Ask(teller, presence, passage);
  return true;
}

}  // namespace
}  // namespace paper

Passage MakePaperMultiPresence(uint64_t seed, int64_t index) {
  const auto kind = static_cast<paper::Kind>(index % paper::kEntityKinds);
  return paper::WritePassage("multi_presence", seed, index, [&](Random& random, Passage& passage) {
    return paper::WriteMultiPresence(kind, random, passage);
  });
}

}  // namespace kvscope::orchestrator
