// multi_entity: five linked entities, each with attributes of its own.
#include "services/orchestrator/datasets/paper/asking.h"
#include "services/orchestrator/datasets/paper/passage_writing.h"
#include "services/orchestrator/datasets/paper/suites.h"
#include "services/orchestrator/datasets/paper/telling.h"

namespace kvscope::orchestrator {
namespace paper {
namespace {

constexpr size_t kEntities = 5;
constexpr size_t kAttributes = 3;

struct Member {
  int entity = kNobody;
  std::vector<int> attributes;  // asked for: each value stands once
  std::vector<int> pair;        // of one member
  std::vector<int> told;        // all that its paragraph tells, the link last
};

// Entities of different kinds, each linked to the next by what that is to it.
std::vector<Member> AddMembers(Teller& teller, int64_t index) {
  const Kind left_out[] = {static_cast<Kind>(index % kEntityKinds)};  // every kind in turn
  std::vector<Kind> kinds = EntityKinds(left_out);
  teller.Shuffle(kinds);
  std::vector<Member> members(kEntities);
  for (size_t i = 0; i < kEntities; ++i) members[i].entity = teller.AddEntity(kinds[i]);
  const size_t with_pair = teller.random().Below(kEntities);
  for (size_t i = 0; i < kEntities; ++i) {
    Member& member = members[i];
    const bool last = i + 1 == kEntities;
    std::vector<Kind> values = EntityKinds(std::span(kinds).subspan(i + 1, last ? 0 : 1));
    teller.Shuffle(values);
    values.resize(kAttributes - 1);
    values.push_back(teller.random().OneIn(2) ? Kind::kNumeral : Kind::kDate);
    teller.Shuffle(values);
    member.attributes = teller.AddFacts(member.entity, values);
    member.told = member.attributes;
    if (i == with_pair) {
      member.pair = teller.AddPair(member.entity, teller.random().Below(2));
      member.told.insert(member.told.begin(), member.pair[0]);
      member.told.push_back(member.pair[1]);
    }
    if (!last) {
      member.told.push_back(teller.AddFact(member.entity, kinds[i + 1], members[i + 1].entity));
    }
  }
  return members;
}

// One question each way about each member; one forward one is that for the pair.
void Ask(Teller& teller, const std::vector<Member>& members, Passage& passage) {
  const RenderedStory rendered = Render(teller.story());
  passage.context = rendered.text;
  Random& random = teller.random();
  Asker asker(teller.story(), rendered, random);
  for (const Member& member : members) {
    std::vector<int> left = member.attributes;
    if (member.pair.empty()) {
      const int fact = DrawForward(teller.story(), 1, random, left).front();
      passage.questions.push_back(asker.Forward(fact, random.OneIn(3)));
    } else {
      passage.questions.push_back(asker.Part(member.pair));
    }
    const int fact = left[random.Below(left.size())];
    passage.questions.push_back(asker.Reverse(fact, random.OneIn(4)));
  }
  ShuffleQuestions(random, passage.questions);
}

bool WriteMultiEntity(int64_t index, Random& random, Passage& passage) {
  Teller teller(random);
  const std::vector<Member> members = AddMembers(teller, index);
  for (const Member& member : members) {
    teller.BeginParagraph(member.entity);
    teller.Open();
    teller.Tell(member.told, /*by_name=*/20);
    if (!random.OneIn(3)) {
      teller.Aside(std::span<const int>(member.attributes).first(1 + random.Below(2)));
    }
  }
  const SuiteRule& rule = *FindSuiteRule("multi_entity", Scale::kPaper);
  if (!teller.FillTo(DrawLength(rule, random))) return false;
  Ask(teller, members, passage);
  return true;
}

}  // namespace
}  // namespace paper

Passage MakePaperMultiEntity(uint64_t seed, int64_t index) {
  return paper::WritePassage("multi_entity", seed, index, [&](Random& random, Passage& passage) {
    return paper::WriteMultiEntity(index, random, passage);
  });
}

}  // namespace kvscope::orchestrator
