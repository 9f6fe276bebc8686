// long_context: six linked entities; each is spoken of twice, pages apart.
#include <algorithm>

#include "services/orchestrator/datasets/paper/asking.h"
#include "services/orchestrator/datasets/paper/passage_writing.h"
#include "services/orchestrator/datasets/paper/suites.h"
#include "services/orchestrator/datasets/paper/telling.h"

namespace kvscope::orchestrator {
namespace paper {
namespace {

constexpr size_t kVisits = 2;
constexpr size_t kAttributes = 6;  // of each entity
constexpr size_t kPairs = 3;       // entities that have one
constexpr size_t kAskedPairs = 2;
constexpr size_t kAsked = 8;  // attributes
constexpr size_t kForwardOnes = 3;

struct Member {
  int entity = kNobody;
  std::vector<int> attributes;  // each value stands once
  std::vector<int> pair;        // of some
  std::vector<int> told[kVisits];
};

std::vector<int> AddAttributes(Teller& teller, int entity, std::span<const Kind> linked) {
  std::vector<Kind> values = EntityKinds(linked);
  teller.Shuffle(values);
  values.resize(kAttributes - 2);
  values.push_back(Kind::kNumeral);
  values.push_back(Kind::kDate);
  teller.Shuffle(values);
  return teller.AddFacts(entity, values);
}

// One of each kind, each linked to the next.
std::vector<Member> AddMembers(Teller& teller) {
  std::vector<Kind> kinds = EntityKinds();
  teller.Shuffle(kinds);
  std::vector<Member> members(kinds.size());
  for (size_t i = 0; i < kinds.size(); ++i) members[i].entity = teller.AddEntity(kinds[i]);
  std::vector<size_t> order = {0, 1, 2, 3, 4, 5};
  teller.Shuffle(order);
  for (size_t i = 0; i < members.size(); ++i) {
    Member& member = members[i];
    const bool last = i + 1 == members.size();
    const auto linked = std::span(kinds).subspan(i + 1, last ? 0 : 1);
    member.attributes = AddAttributes(teller, member.entity, linked);
    const auto middle = member.attributes.begin() + kAttributes / 2;
    member.told[0].assign(member.attributes.begin(), middle);
    member.told[1].assign(middle, member.attributes.end());
    if (std::find(order.begin(), order.begin() + kPairs, i) != order.begin() + kPairs) {
      member.pair = teller.AddPair(member.entity, teller.random().Below(2));
      for (size_t visit = 0; visit < kVisits; ++visit) {
        member.told[visit].push_back(member.pair[visit]);
      }
    }
    if (last) continue;
    const int link = teller.AddFact(member.entity, kinds[i + 1], members[i + 1].entity);
    member.told[teller.random().Below(kVisits)].push_back(link);
  }
  return members;
}

// Everyone in a drawn order, then everyone again: those of the first half before the others, so
// that the two visits to one are far apart.
void TellAll(Teller& teller, const std::vector<Member>& members) {
  std::vector<size_t> order = {0, 1, 2, 3, 4, 5};
  teller.Shuffle(order);
  for (size_t visit = 0; visit < kVisits; ++visit) {
    if (visit > 0) {
      teller.Shuffle(std::span(order).first(order.size() / 2));
      teller.Shuffle(std::span(order).subspan(order.size() / 2));
    }
    for (const size_t i : order) {
      const Member& member = members[i];
      const std::span<const int> told(member.told[visit]);
      teller.BeginParagraph(member.entity);
      if (visit == 0) teller.Open();
      teller.Tell(told.first(1), visit == 0 ? 0 : 100);
      teller.Tell(told.subspan(1), 10);
      if (!teller.random().OneIn(3)) teller.Aside(told.first(1 + teller.random().Below(2)));
    }
  }
}

// Attributes from every eighth of the passage.
std::vector<int> DrawSpread(Random& random, const RenderedStory& rendered,
                            const std::vector<Member>& members) {
  std::vector<int> all;
  for (const Member& member : members) {
    all.insert(all.end(), member.attributes.begin(), member.attributes.end());
  }
  std::sort(all.begin(), all.end(), [&](int a, int b) {
    return rendered.values[static_cast<size_t>(a)].start <
           rendered.values[static_cast<size_t>(b)].start;
  });
  std::vector<int> drawn;
  for (size_t part = 0; part < kAsked; ++part) {
    const size_t from = part * all.size() / kAsked;
    const size_t to = (part + 1) * all.size() / kAsked;
    drawn.push_back(all[from + random.Below(to - from)]);
  }
  return drawn;
}

void Ask(Teller& teller, const std::vector<Member>& members, Passage& passage) {
  const RenderedStory rendered = Render(teller.story());
  passage.context = rendered.text;
  Random& random = teller.random();
  Asker asker(teller.story(), rendered, random);
  size_t pairs = 0;
  for (const Member& member : members) {
    if (member.pair.empty() || pairs == kAskedPairs) continue;
    passage.questions.push_back(asker.Part(member.pair));
    ++pairs;
  }
  std::vector<int> left = DrawSpread(random, rendered, members);
  for (const int fact : DrawForward(teller.story(), kForwardOnes, random, left)) {
    passage.questions.push_back(asker.Forward(fact, random.OneIn(3)));
  }
  for (const int fact : left) {
    passage.questions.push_back(asker.Reverse(fact, random.OneIn(4)));
  }
  ShuffleQuestions(random, passage.questions);
}

bool WriteLongContext(Random& random, Passage& passage) {
  Teller teller(random);
  const std::vector<Member> members = AddMembers(teller);
  TellAll(teller, members);
  if (!teller.FillTo(DrawLength(*FindSuiteRule("long_context", Scale::kPaper), random))) {
    return false;
  }
  Ask(teller, members, passage);
  return true;
}

}  // namespace
}  // namespace paper

Passage MakePaperLongContext(uint64_t seed, int64_t index) {
  return paper::WritePassage("long_context", seed, index, paper::WriteLongContext);
}

}  // namespace kvscope::orchestrator
