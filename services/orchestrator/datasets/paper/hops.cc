// hops: a subject and three entities linked one after the other, beside a second such chain.
#include <array>

#include "services/orchestrator/datasets/paper/asking.h"
#include "services/orchestrator/datasets/paper/passage_writing.h"
#include "services/orchestrator/datasets/paper/suites.h"
#include "services/orchestrator/datasets/paper/telling.h"

namespace kvscope::orchestrator {
namespace paper {
namespace {

constexpr size_t kLinks = 3;
constexpr size_t kEntities = kLinks + 1;
using ChainKinds = std::array<Kind, kEntities>;

struct Chain {
  std::array<int, kEntities> entities;
  std::array<int, kLinks> links;                       // facts: entity i -> entity i + 1
  std::array<std::vector<int>, kEntities> attributes;  // facts whose values stand once
};

// How many attributes an entity of the asked chain needs: the last one answers most often.
constexpr std::array<size_t, kEntities> kAsked = {5, 5, 5, 8};
constexpr std::array<size_t, kEntities> kOther = {5, 5, 5, 5};

Chain AddChain(Teller& teller, const ChainKinds& kinds,
               const std::array<size_t, kEntities>& attributes) {
  Chain chain;
  for (size_t i = 0; i < kEntities; ++i) chain.entities[i] = teller.AddEntity(kinds[i]);
  for (size_t i = 0; i < kEntities; ++i) {
    if (i < kLinks) {
      chain.links[i] = teller.AddFact(chain.entities[i], kinds[i + 1], chain.entities[i + 1]);
    }
    std::vector<Kind> values =
        EntityKinds(std::span<const Kind>(kinds).subspan(i + 1, i < kLinks ? 1 : 0));
    teller.Shuffle(values);
    values.insert(values.begin(), {Kind::kNumeral, Kind::kDate});
    values.resize(attributes[i]);
    chain.attributes[i] = teller.AddFacts(chain.entities[i], values);
  }
  return chain;
}

// A paragraph for each entity, in a drawn order.
void TellChains(Teller& teller, const std::vector<Chain>& chains) {
  std::vector<std::pair<int, std::vector<int>>> paragraphs;
  for (const Chain& chain : chains) {
    for (size_t i = 0; i < kEntities; ++i) {
      std::vector<int> facts = chain.attributes[i];
      if (i < kLinks) facts.push_back(chain.links[i]);
      teller.Shuffle(facts);
      paragraphs.emplace_back(chain.entities[i], std::move(facts));
    }
  }
  teller.Shuffle(paragraphs);
  for (const auto& [entity, facts] : paragraphs) {
    teller.BeginParagraph(entity);
    teller.Open();
    teller.Tell(facts);
    if (teller.random().OneIn(2)) teller.Aside(facts);
  }
}

int Take(std::vector<int>& facts, Random& random) {
  const size_t drawn = random.Below(facts.size());
  const int fact = facts[drawn];
  facts.erase(facts.begin() + static_cast<std::ptrdiff_t>(drawn));
  return fact;
}

// For every number of links two questions each way.  Forward ones begin with the subject; of the
// reverse ones one ends there and the other somewhere along the chain.
void Ask(Teller& teller, Chain chain, Passage& passage) {
  const RenderedStory rendered = Render(teller.story());
  passage.context = rendered.text;
  Random& random = teller.random();
  Asker asker(teller.story(), rendered, random);
  const std::span<const int> links(chain.links);
  for (size_t hops = 0; hops <= kLinks; ++hops) {
    for (const int fact : DrawForward(teller.story(), 2, random, chain.attributes[hops])) {
      passage.questions.push_back(asker.ForwardChain(links.first(hops), fact, random.OneIn(2)));
    }
  }
  for (size_t hops = 0; hops <= kLinks; ++hops) {
    passage.questions.push_back(
        asker.ReverseChain(links.first(hops), Take(chain.attributes[hops], random)));
    const size_t first = hops == kLinks ? 0 : 1 + random.Below(kLinks - hops);
    passage.questions.push_back(asker.ReverseChain(links.subspan(first, hops),
                                                   Take(chain.attributes[first + hops], random)));
  }
  ShuffleQuestions(random, passage.questions);
}

bool WriteHops(int64_t index, Random& random, Passage& passage) {
  Teller teller(random);
  const Kind subject[] = {static_cast<Kind>(index % kEntityKinds)};  // every kind in turn
  std::vector<Kind> others = EntityKinds(subject);
  teller.Shuffle(others);
  const ChainKinds kinds = {subject[0], others[0], others[1], others[2]};
  std::vector<Chain> chains;
  chains.push_back(AddChain(teller, kinds, kAsked));
  chains.push_back(AddChain(teller, kinds, kOther));
  TellChains(teller, chains);
  if (!teller.FillTo(DrawLength(*FindSuiteRule("hops", Scale::kPaper), random))) return false;
  Ask(teller, chains[0], passage);
  return true;
}

}  // namespace
}  // namespace paper

Passage MakePaperHops(uint64_t seed, int64_t index) {
  return paper::WritePassage("hops", seed, index, [&](Random& random, Passage& passage) {
    return paper::WriteHops(index, random, passage);
  });
}

}  // namespace kvscope::orchestrator
